import numpy as np
import pytest

from crossrec_pipeline.models import candidates
from crossrec_pipeline.models.candidates import Lists, ListScorer, Queries, position_queries
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.listed_by_last import ListedByLast

STORE = SessionStore.from_sequences([[0, 1, 2], [2], [1, 0]])
MODEL = ListedByLast([{1: 5.0}, {2: 7.0, 0: 6.0}, {}], floor=[-1.0, -2.0, -3.0])


def _queries(store: SessionStore, block: int) -> list[tuple[int, int, list[int]]]:
    return [
        (int(s), int(p), queries.item_index[begin:end].tolist())
        for session, position, queries in position_queries(store, block)
        for s, p, begin, end in zip(session, position, queries.begins, queries.ends, strict=True)
    ]


@pytest.mark.parametrize("block", [1, 2, 10])
def test_every_event_after_a_sessions_first_is_asked_by_those_before_it(block: int):
    assert _queries(STORE, block) == [(0, 1, [0]), (0, 2, [0, 1]), (2, 1, [1])]


def test_a_store_without_predictions_asks_nothing():
    assert _queries(SessionStore.from_sequences([[1], [2]]), 10) == []
    assert _queries(SessionStore.from_sequences([]), 10) == []


def test_sessions_become_slices_of_one_array():
    queries = Queries.of([np.array([3, 4]), np.array([5])])
    assert queries.item_index.tolist() == [3, 4, 5]
    assert queries.item_index.dtype == np.int32
    assert (queries.begins.tolist(), queries.ends.tolist()) == ([0, 2], [2, 3])
    assert len(queries) == 2
    assert len(Queries.of([])) == 0


def test_a_list_replaces_scores_of_the_floor():
    lists = Lists(np.array([0, 2, 2]), np.array([2, 0]), np.array([9.0, -8.0], dtype=np.float32))
    dense = lists.dense(np.array([-1.0, -2.0, -3.0], dtype=np.float32))
    assert dense.tolist() == [[-8.0, -2.0, 9.0], [-1.0, -2.0, -3.0]]
    assert dense.dtype == np.float32


def test_a_session_is_scored_as_its_position_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(candidates, "_SCORES_PER_BLOCK", 6)  # two predictions a block
    blocks = list(MODEL.score_positions(STORE))
    assert [len(block.session) for block in blocks] == [2, 1]
    scores = np.concatenate([block.scores for block in blocks])
    assert scores.tolist() == [[-1.0, 5.0, -3.0], [6.0, -2.0, 7.0], [6.0, -2.0, 7.0]]
    sessions = [np.array([0]), np.array([0, 1]), np.array([1])]
    np.testing.assert_array_equal(MODEL.score(sessions), scores)


def test_lists_of_a_store_come_in_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(candidates, "QUERIES_PER_BLOCK", 2)
    blocks = list(MODEL.position_lists(STORE))
    assert [block.position.tolist() for block in blocks] == [[1, 2], [1]]
    assert [block.lists.items.tolist() for block in blocks] == [[1, 2, 0], [2, 0]]
    assert isinstance(MODEL, ListScorer)
