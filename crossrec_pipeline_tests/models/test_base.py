import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossrec_pipeline.models.base import last_item_positions, top_k
from crossrec_pipeline.sessions.store import SessionStore


def test_best_items_come_first() -> None:
    indexes, values = top_k(np.array([[0.1, 0.9, 0.5], [3.0, 1.0, 2.0]]), k=2)
    assert indexes.tolist() == [[1, 2], [0, 2]]
    assert values.tolist() == [[0.9, 0.5], [3.0, 2.0]]


def test_equal_scores_are_ordered_by_item_index() -> None:
    indexes, _ = top_k(np.array([[1.0, 2.0, 1.0, 2.0]]), k=4)
    assert indexes.tolist() == [[1, 3, 0, 2]]


def test_item_index_zero_can_be_best() -> None:
    indexes, _ = top_k(np.array([[5.0, 1.0]]), k=1)
    assert indexes.tolist() == [[0]]


def test_filter_is_applied_before_the_cut() -> None:
    allowed = np.array([False, True, False, True])
    indexes, values = top_k(np.array([[9.0, 1.0, 8.0, 2.0]]), k=2, allowed=allowed)
    assert indexes.tolist() == [[3, 1]]
    assert values.tolist() == [[2.0, 1.0]]


def test_each_row_can_have_a_filter_of_its_own() -> None:
    allowed = np.array([[True, False], [False, True]])
    indexes, _ = top_k(np.array([[1.0, 2.0], [2.0, 1.0]]), k=2, allowed=allowed)
    assert indexes.tolist() == [[0], [1]]


def test_fewer_items_than_asked_for_come_back_without_forbidden_ones() -> None:
    indexes, _ = top_k(np.array([[1.0, 2.0, 3.0]]), k=9, allowed=np.array([True, True, False]))
    assert indexes.tolist() == [[1, 0]]


def test_no_rows_give_no_rows() -> None:
    indexes, _ = top_k(np.empty((0, 4)), k=2)
    assert indexes.shape == (0, 2)


@given(
    scores=hnp.arrays(np.float32, (3, 7), elements=st.sampled_from([0.0, 1.0, 2.0, -1.0])),
    k=st.integers(1, 9),
)
def test_top_k_is_the_head_of_a_full_sort(scores: np.ndarray, k: int) -> None:
    indexes, _ = top_k(scores, k)
    for row, found in zip(scores, indexes, strict=True):
        assert found.tolist() == sorted(range(7), key=lambda item: (-row[item], item))[:k]


def test_every_event_after_a_sessions_first_is_listed_with_the_item_before_it() -> None:
    store = SessionStore.from_sequences([[5, 6, 7], [8, 9]])
    ((session, position, last_item),) = last_item_positions(store, block=10)
    assert session.tolist() == [0, 0, 1]
    assert position.tolist() == [1, 2, 1]
    assert last_item.tolist() == [5, 6, 8]


@given(
    sequences=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1),
    block=st.integers(1, 7),
)
def test_blocks_list_every_prediction_once_and_are_bounded(
    sequences: list[list[int]], block: int
) -> None:
    blocks = list(last_item_positions(SessionStore.from_sequences(sequences), block))
    assert all(len(session) <= block for session, _, _ in blocks)
    listed = [
        entry
        for session, position, last_item in blocks
        for entry in zip(session.tolist(), position.tolist(), last_item.tolist(), strict=True)
    ]
    assert listed == [
        (number, position, sequence[position - 1])
        for number, sequence in enumerate(sequences)
        for position in range(1, len(sequence))
    ]
