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
)


def test_cuts_leave_the_wanted_shares_after_them() -> None:
    times = np.random.default_rng(0).permutation(100)
    assert choose_cut_times(times, 0.1, 0.2) == CutTimes(validation_us=70, test_us=80)


def test_log_of_days_is_cut_between_days() -> None:
    days = np.repeat([1, 2, 3, 4], [50, 30, 14, 6])
    # From day 4 on 6 events, from day 3 on 20: 10 wanted is nearer to 6, and 20 is met.
    assert choose_cut_times(days, 0.1, 0.1) == CutTimes(validation_us=3, test_us=4)


def test_of_two_equally_near_cuts_the_later_is_taken() -> None:
    times = np.repeat([1, 2, 3, 4], [80, 10, 5, 5])
    # 7.5 events wanted: 5 from time 4 on, 10 from time 3 on.
    assert choose_cut_times(times, 0.1, 0.075).test_us == 4


def test_three_distinct_times_give_three_parts_however_uneven() -> None:
    times = np.repeat([1, 2, 3], [1, 1, 1_000])
    assert choose_cut_times(times, 0.1, 0.1) == CutTimes(validation_us=2, test_us=3)


def test_two_distinct_times_cannot_be_cut() -> None:
    with pytest.raises(SessionsError, match=r"2 distinct time.*at least three"):
        choose_cut_times(np.array([1, 1, 2, 2]), 0.1, 0.1)


@given(
    times=st.lists(st.integers(0, 30), min_size=3).filter(lambda times: len(set(times)) >= 3),
    validation_share=st.floats(0.01, 0.49),
    test_share=st.floats(0.01, 0.49),
)
def test_every_side_of_both_cuts_has_events(
    times: list[int], validation_share: float, test_share: float
) -> None:
    cuts = choose_cut_times(np.array(times), validation_share, test_share)
    assert min(times) < cuts.validation_us < cuts.test_us <= max(times)


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
