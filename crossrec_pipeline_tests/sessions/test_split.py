from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.split import (
    STRADDLING,
    TEST,
    TRAIN,
    VALIDATION,
    CutTimes,
    assign_parts,
    choose_cut_times,
    cut_whole_days,
)

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def choose(times_us: Sequence[int], validation_share: float, test_share: float) -> CutTimes:
    """Cut a log of these times, handed out by hour."""
    times = np.array(times_us, dtype=np.int64)
    hours = times // HOUR_US
    return choose_cut_times(
        Counter(hours.tolist()), lambda hour: times[hours == hour], validation_share, test_share
    )


def slow_and_obvious(times_us: list[int], validation_share: float, test_share: float) -> CutTimes:
    """Try every time."""
    distinct = sorted(set(times_us))

    def missed_by(cut: int, share: float) -> tuple[float, int]:
        return abs(sum(time >= cut for time in times_us) - len(times_us) * share), -cut

    test = min(distinct[2:], key=lambda cut: missed_by(cut, test_share))
    before = distinct[1 : distinct.index(test)]
    both = validation_share + test_share
    return CutTimes(min(before, key=lambda cut: missed_by(cut, both)), test)


def test_cuts_leave_the_wanted_shares_after_them() -> None:
    times = np.random.default_rng(0).permutation(100)
    assert choose(times.tolist(), 0.1, 0.2) == CutTimes(validation_us=70, test_us=80)


def test_log_of_days_is_cut_between_days() -> None:
    days = np.repeat(np.arange(1, 5) * DAY_US, [50, 30, 14, 6])
    # From day 4 on 6 events, from day 3 on 20: 10 wanted is nearer to 6, and 20 is met.
    cuts = CutTimes(validation_us=3 * DAY_US, test_us=4 * DAY_US)
    assert choose(days.tolist(), 0.1, 0.1) == cuts


def test_of_two_equally_near_cuts_the_later_is_taken() -> None:
    times = np.repeat([1, 2, 3, 4], [80, 10, 5, 5]).tolist()
    # 7.5 events wanted: 5 from time 4 on, 10 from time 3 on.
    assert choose(times, 0.1, 0.075).test_us == 4


def test_three_distinct_times_give_three_parts_however_uneven() -> None:
    times = np.repeat([1, 2, 3], [1, 1, 1_000]).tolist()
    assert choose(times, 0.1, 0.1) == CutTimes(validation_us=2, test_us=3)


def test_two_distinct_times_cannot_be_cut() -> None:
    with pytest.raises(SessionsError, match=r"2 distinct time.*at least three"):
        choose([1, 1, 2 + DAY_US, 2 + DAY_US], 0.1, 0.1)


times_around_hours = st.builds(
    lambda hour, offset: hour * HOUR_US + offset, st.integers(-2, 4), st.integers(-2, 2)
)


@given(
    times=st.lists(times_around_hours, min_size=3).filter(lambda times: len(set(times)) >= 3),
    validation_share=st.floats(0.01, 0.49),
    test_share=st.floats(0.01, 0.49),
)
def test_cuts_are_the_best_of_all_times_with_events_on_every_side(
    times: list[int], validation_share: float, test_share: float
) -> None:
    cuts = choose(times, validation_share, test_share)
    assert cuts == slow_and_obvious(times, validation_share, test_share)
    assert min(times) < cuts.validation_us < cuts.test_us <= max(times)


def test_only_a_few_hours_are_looked_at() -> None:
    asked = set()

    def times_of_hour(hour: int) -> np.ndarray:
        asked.add(hour)
        return np.arange(10) + hour * HOUR_US

    choose_cut_times(dict.fromkeys(range(1_000), 10), times_of_hour, 0.1, 0.1)
    assert len(asked) < 10


def test_whole_days_are_cut_at_midnight() -> None:
    # The last day is the tenth since 1970: test is day 10, validation days 8 and 9.
    cuts = cut_whole_days(last_day=10, validation_days=2, test_days=1)
    assert cuts == CutTimes(validation_us=8 * DAY_US, test_us=10 * DAY_US)


@pytest.mark.parametrize(
    ("start", "end", "part"),
    [
        (0, 9, TRAIN),
        (0, 10, STRADDLING),
        (9, 25, STRADDLING),
        (10, 10, VALIDATION),
        (10, 19, VALIDATION),
        (10, 20, STRADDLING),
        (20, 20, TEST),
        (20, 99, TEST),
    ],
)
def test_session_belongs_where_all_of_it_lies(start: int, end: int, part: int) -> None:
    parts = assign_parts(np.array([start]), np.array([end]), CutTimes(10, 20))
    assert parts.tolist() == [part]


def test_cuts_are_read_back_from_their_iso_form_to_the_microsecond() -> None:
    # One day and one microsecond after 1970; an hour east of Greenwich is an hour earlier.
    cuts = CutTimes.from_iso("1970-01-02T00:00:00.000001+00:00", "1970-01-03T01:00:00+01:00")
    assert cuts == CutTimes(validation_us=86_400_000_001, test_us=172_800_000_000)
