import numpy as np

from crossrec_pipeline.sessions.trim import (
    begins,
    in_long_enough_sessions,
    number_pieces,
    repeats_previous,
)


def test_first_event_of_each_session_begins_it() -> None:
    assert begins(np.array([3, 3, 5, 3])).tolist() == [True, False, True, True]


def test_repeats_are_found_within_sessions_only() -> None:
    session = np.array([0, 0, 0, 1, 1])
    item = np.array([7, 7, 8, 8, 8])
    assert repeats_previous(session, item).tolist() == [False, True, False, False, True]


def test_sessions_of_the_minimum_length_stay() -> None:
    marked = in_long_enough_sessions(np.array([0, 1, 1, 4, 4, 4]), min_length=2)
    assert marked.tolist() == [False, True, True, True, True, True]


def test_long_session_is_cut_into_consecutive_pieces() -> None:
    session = np.array([0, 0, 0, 0, 0, 2, 2])
    assert number_pieces(session, max_length=2).tolist() == [0, 0, 1, 1, 2, 0, 0]


def test_no_events_are_no_trouble() -> None:
    none = np.array([], dtype=np.int64)
    assert len(begins(none)) == 0
    assert len(repeats_previous(none, none)) == 0
    assert len(in_long_enough_sessions(none, 2)) == 0
    assert len(number_pieces(none, 2)) == 0
