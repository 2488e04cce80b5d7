from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions import event_inputs
from crossrec_pipeline.sessions.event_inputs import (
    EventInputs,
    EventTypeCodes,
    fit_event_types,
    gaps_in_seconds,
)
from crossrec_pipeline.sessions.trim import N_COUNTS, trim_sessions

SECOND_US = 1_000_000


def dictionary(*values: str | None) -> pa.DictionaryArray:
    return pa.array(values, pa.string()).dictionary_encode()


def test_gaps_are_whole_seconds_and_begin_anew_with_each_session() -> None:
    # 1.9 s, exactly 2 s and 0.4 s later; then a session that begins before the other one ended.
    time_us = np.array([10.0, 11.9, 13.9, 14.3, 12.0, 72.0]) * SECOND_US
    gaps = gaps_in_seconds(time_us.astype(np.int64), np.array([4, 2]))
    assert gaps.tolist() == [0, 1, 2, 0, 0, 60]
    assert gaps.dtype == np.uint32


def test_longest_gap_that_fits_stands_for_longer_ones() -> None:
    time_us = np.array([0, 2**32 - 1, 2**33], dtype=np.int64) * SECOND_US
    assert gaps_in_seconds(time_us, np.array([3])).tolist() == [0, 2**32 - 1, 2**32 - 1]


def test_no_events_have_no_gaps() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert gaps_in_seconds(none, none).tolist() == []


sessions = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**8)), min_size=1, max_size=12),
    min_size=1,
    max_size=5,
)


@given(sessions=sessions, max_length=st.integers(2, 4), collapse_repeats=st.booleans())
def test_gaps_are_those_of_the_events_that_trimming_keeps(
    sessions: list[list[tuple[int, int]]], max_length: int, collapse_repeats: bool
) -> None:
    ordered = [sorted(session, key=lambda event: event[1]) for session in sessions]
    events = [event for session in ordered for event in session]
    pieces = trim_sessions(
        np.array([item for item, _ in events], dtype=np.int32),
        np.array([time for _, time in events], dtype=np.int64),
        np.array([len(session) for session in ordered]),
        np.zeros(len(ordered), dtype=np.int8),
        np.array([0, 1, 2, -1], dtype=np.int32),  # the last item is not in the vocabulary
        min_length=2,
        max_length=max_length,
        collapse_repeats=collapse_repeats,
        counts=np.zeros((1, N_COUNTS), dtype=np.int64),
        is_unknown=np.zeros((1, 4), dtype=bool),
    )
    gaps = gaps_in_seconds(pieces.time_us, pieces.length)
    first = 0
    for length in pieces.length:
        times = pieces.time_us[first : first + length].tolist()
        expected = [(later - before) // SECOND_US for before, later in pairwise(times)]
        assert gaps[first : first + length].tolist() == [0, *expected]
        first += length
    assert first == len(gaps)


def test_types_are_numbered_as_they_are_met_and_none_is_zero() -> None:
    codes = EventTypeCodes()
    assert codes.encode(dictionary("b", None, "a", "b")).tolist() == [1, 0, 2, 1]
    assert codes.encode(dictionary("c", "a", None)).tolist() == [3, 2, 0]
    assert codes.encode(dictionary(None)).tolist() == [0]
    assert codes.names == ("b", "a", "c")


def test_column_of_too_many_types_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_inputs, "_MOST_DIFFERENT_TYPES", 3)
    codes = EventTypeCodes()
    codes.encode(dictionary("a", "b", "c"))
    with pytest.raises(SessionsError, match=r"more than 3 event types, such as 'd'.*EVENT_COLUMNS"):
        codes.encode(dictionary("d"))


def test_codes_are_by_frequency_in_train_then_by_name() -> None:
    # "d" does not occur in train: it has no code. Number 0 is of events without a type.
    names, codes = fit_event_types(("b", "a", "c", "d"), np.array([9, 2, 2, 5, 0]))
    assert names == ("c", "a", "b")
    assert codes.tolist() == [0, 3, 2, 1, 0]


def test_rare_types_beyond_the_bytes_have_no_code() -> None:
    types = tuple(f"{n:03}" for n in range(300))
    names, codes = fit_event_types(types, np.array([0, *range(300, 0, -1)]))
    assert names == types[:254]
    assert codes[1:255].tolist() == list(range(1, 255))
    assert not codes[255:].any()


def test_some_events_keep_what_is_known_of_them() -> None:
    inputs = EventInputs(np.array([1, 2, 0]), np.array([0, 5, 9]), ("a", "b"))
    some = inputs.only(np.array([2, 1]))
    assert (some.event_type.tolist(), some.gap_s.tolist()) == ([0, 2], [9, 5])
    assert some.names == ("a", "b")
