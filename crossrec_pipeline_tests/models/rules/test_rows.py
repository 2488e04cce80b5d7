import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.models.candidates import Lists, Queries
from crossrec_pipeline.models.rules.rows import ItemRows, session_lists

# 0 speaks for 1 (0.5) and 2 (0.25), 1 for 2 (1) and against 0 (-2), 2 for nothing.
ROWS = ItemRows(
    np.array([0, 2, 4, 4]),
    np.array([1, 2, 2, 0], dtype=np.int32),
    np.array([0.5, 0.25, 1, -2], dtype=np.float32),
)


def listed(lists: Lists, query: int = 0) -> dict[int, float]:
    of_query = slice(lists.offsets[query], lists.offsets[query + 1])
    return dict(zip(lists.items[of_query].tolist(), lists.scores[of_query].tolist(), strict=True))


def lists_of(*session: int, decay: float) -> dict[int, float]:
    return listed(session_lists(ROWS, Queries.of([np.array(session)]), decay))


def test_without_decay_to_come_the_last_item_speaks_alone() -> None:
    assert lists_of(1, 0, decay=0) == {1: 0.5, 2: 0.25}


def test_rows_of_earlier_items_are_added_with_less_weight() -> None:
    # 0 is one place before the last: half of its 0.5 for 1; for 2 half of 0.25, and 1 of item 1.
    assert lists_of(0, 1, decay=0.5) == {1: 0.5 * 0.5, 2: 0.5 * 0.25 + 1}


def test_decay_counts_places_rather_than_distinct_items() -> None:
    assert lists_of(0, 2, 2, decay=0.5) == {1: 0.25 * 0.5, 2: 0.25 * 0.25}


def test_item_that_occurs_twice_counts_at_its_last_place_only() -> None:
    assert lists_of(0, 2, 0, decay=1) == {1: 0.5, 2: 0.25}


def test_sums_that_are_not_above_zero_are_not_listed() -> None:
    assert lists_of(1, decay=0) == {2: 1}


def test_items_that_weigh_less_than_a_thousandth_are_left_out() -> None:
    # 0.1 ** 3 is a thousandth, 0.1 ** 4 less.
    assert lists_of(0, 2, 2, 2, decay=0.1) == pytest.approx({1: 0.0005, 2: 0.00025})
    assert lists_of(0, 2, 2, 2, 2, decay=0.1) == {}


def test_lists_of_several_sessions_stand_side_by_side() -> None:
    lists = session_lists(ROWS, Queries.of([np.array([0]), np.array([2]), np.array([1])]), 0.5)
    assert [listed(lists, query) for query in range(3)] == [{1: 0.5, 2: 0.25}, {}, {2: 1}]


def test_no_sessions_have_no_lists() -> None:
    assert session_lists(ROWS, Queries.of([]), 0.5).offsets.tolist() == [0]


@given(
    cells=st.lists(st.lists(st.integers(-3, 3), min_size=5, max_size=5), min_size=5, max_size=5),
    sessions=st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), max_size=5),
    decay=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_lists_are_those_of_adding_by_hand(
    cells: list[list[int]], sessions: list[list[int]], decay: float
) -> None:
    matrix = np.array(cells, dtype=np.float32)
    row, item = np.nonzero(matrix)
    rows = ItemRows(
        np.searchsorted(row, np.arange(6)).astype(np.int64),
        item.astype(np.int32),
        matrix[row, item],
    )
    lists = session_lists(rows, Queries.of([np.array(session) for session in sessions]), decay)
    for query, session in enumerate(sessions):
        wanted = dict.fromkeys(range(5), 0.0)
        for item in set(session):
            places_back = session[::-1].index(item)
            for other in range(5):
                wanted[other] += decay**places_back * cells[item][other]
        assert listed(lists, query) == {k: value for k, value in wanted.items() if value > 0}
