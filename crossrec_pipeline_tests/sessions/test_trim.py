import numpy as np

from crossrec_pipeline.sessions.trim import (
    LEFTOVER_EVENTS,
    LEFTOVER_PIECES,
    N_COUNTS,
    REPEATS,
    SHORT_EVENTS,
    SHORT_SESSIONS,
    UNKNOWN_EVENTS,
    Pieces,
    count_mixed,
    gather_runs,
    trim_sessions,
)

INDEX_OF_ITEM = np.array([0, 1, 2, -1], dtype=np.int32)
"""Item 3 is not in the vocabulary."""


def trim(
    *sessions: list[int],
    parts: list[int] | None = None,
    max_length: int = 50,
    collapse_repeats: bool = True,
) -> tuple[list[list[int]], Pieces, np.ndarray, np.ndarray]:
    """Trim sessions of at least two events, an event a microsecond, of two parts."""
    counts = np.zeros((2, N_COUNTS), dtype=np.int64)
    is_unknown = np.zeros((2, len(INDEX_OF_ITEM)), dtype=bool)
    items = np.array([item for session in sessions for item in session], dtype=np.int32)
    pieces = trim_sessions(
        items,
        np.arange(len(items)),
        np.array([len(session) for session in sessions], dtype=np.int64),
        np.array(parts or [0] * len(sessions), dtype=np.int8),
        INDEX_OF_ITEM,
        min_length=2,
        max_length=max_length,
        collapse_repeats=collapse_repeats,
        counts=counts,
        is_unknown=is_unknown,
    )
    bounds = zip(pieces.first, pieces.first + pieces.length, strict=True)
    return [pieces.item_index[a:b].tolist() for a, b in bounds], pieces, counts, is_unknown


def test_unknown_items_are_taken_out_and_counted_by_part() -> None:
    kept, _, counts, is_unknown = trim([0, 3, 1], [3, 2, 0, 3], parts=[0, 1])
    assert kept == [[0, 1], [2, 0]]
    assert counts[:, UNKNOWN_EVENTS].tolist() == [1, 2]
    assert is_unknown.tolist() == [[False, False, False, True]] * 2


def test_repeats_that_meet_collapse() -> None:
    kept, pieces, counts, _ = trim([0, 3, 0, 1])
    assert kept == [[0, 1]]
    assert counts[0, REPEATS] == 1
    # The first of the two stays.
    assert pieces.time_us.tolist() == [0, 3]


def test_repeats_stay_when_not_collapsed() -> None:
    kept, _, counts, _ = trim([0, 0, 1], collapse_repeats=False)
    assert kept == [[0, 0, 1]]
    assert counts[0, REPEATS] == 0


def test_session_that_becomes_too_short_goes() -> None:
    kept, pieces, counts, _ = trim([0, 3], [3, 3], [1, 2])
    assert kept == [[1, 2]]
    assert pieces.session.tolist() == [2]
    assert (counts[0, SHORT_SESSIONS], counts[0, SHORT_EVENTS]) == (2, 1)


def test_long_session_is_cut_into_consecutive_pieces() -> None:
    kept, pieces, counts, _ = trim([0, 1, 2, 0, 1, 2, 0], max_length=3)
    assert kept == [[0, 1, 2], [0, 1, 2]]
    assert pieces.number.tolist() == [0, 1]
    assert pieces.start_us.tolist() == [0, 3]
    assert pieces.end_us.tolist() == [2, 5]
    assert (counts[0, LEFTOVER_PIECES], counts[0, LEFTOVER_EVENTS]) == (1, 1)


def test_sessions_of_no_part_are_left_out() -> None:
    kept, _, counts, _ = trim([0, 3, 1], [0, 1], parts=[2, 1])
    assert kept == [[0, 1]]
    assert counts.sum() == 0


def test_no_sessions_are_no_trouble() -> None:
    kept, pieces, counts, _ = trim()
    assert kept == []
    assert len(pieces.start_us) == 0
    assert counts.sum() == 0


def test_runs_are_copied_one_after_the_other() -> None:
    runs = gather_runs(np.arange(10), np.array([7, 0, 3]), np.array([2, 0, 3]))
    assert runs.tolist() == [7, 8, 3, 4, 5]


def test_mixed_sessions_are_found_wherever_the_other_type_is() -> None:
    items = np.array([0, 0, 1, 0, 0, 1, 1, 1, 0], dtype=np.int32)
    lengths = np.array([3, 2, 2, 2])
    # 001 and 10 are mixed, 00 and 11 are not.
    assert count_mixed(items, lengths, np.array([0, 1], dtype=np.int8)) == 2
