import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.serving.api import rate_limit
from crossrec_pipeline.serving.api.rate_limit import RateLimit


def test_burst_is_allowed_then_as_many_as_come_back() -> None:
    limit = RateLimit(per_second=2, burst=3)
    assert [limit.seconds_until_allowed("a", 0.0) for _ in range(3)] == [0, 0, 0]
    # None left; one comes back in half a second.
    assert limit.seconds_until_allowed("a", 0.0) == pytest.approx(0.5)
    assert limit.seconds_until_allowed("a", 0.5) == 0
    assert limit.seconds_until_allowed("a", 0.5) == pytest.approx(0.5)


def test_clients_do_not_share_a_bucket() -> None:
    limit = RateLimit(per_second=1, burst=1)
    assert limit.seconds_until_allowed("a", 0.0) == 0
    assert limit.seconds_until_allowed("b", 0.0) == 0
    assert limit.seconds_until_allowed("a", 0.0) > 0


def test_least_recent_clients_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_CLIENTS", 2)
    limit = RateLimit(per_second=1, burst=1)
    for client in ("a", "b", "c"):
        limit.seconds_until_allowed(client, 0.0)
    assert len(limit) == 2
    assert limit.seconds_until_allowed("c", 0.0) > 0
    assert limit.seconds_until_allowed("a", 0.0) == 0


@given(
    gaps=st.lists(st.floats(0, 3), max_size=60),
    per_second=st.floats(0.1, 10),
    burst=st.integers(1, 10),
)
def test_no_more_than_burst_and_rate_allow_pass_in_any_stretch(
    gaps: list[float], per_second: float, burst: int
) -> None:
    limit = RateLimit(per_second, burst)
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        if limit.seconds_until_allowed("a", now) == 0:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            stretch = passed[last] - passed[first]
            assert last - first + 1 <= burst + stretch * per_second + 1e-6


@given(st.floats(0.1, 10), st.integers(1, 5), st.integers(1, 20))
def test_waiting_as_long_as_told_is_enough(per_second: float, burst: int, n_asked: int) -> None:
    limit = RateLimit(per_second, burst)
    now = 0.0
    for _ in range(n_asked):
        wait = limit.seconds_until_allowed("a", now)
        if wait > 0:
            now += wait + 1e-6
            assert limit.seconds_until_allowed("a", now) == 0
