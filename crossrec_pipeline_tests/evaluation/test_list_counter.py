import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.list_counter import ListCounter
from crossrec_pipeline.evaluation.ranking import rank_predictions, target_ranks
from crossrec_pipeline.models.candidates import Lists
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import ExplicitScores, vocabulary_of
from crossrec_pipeline_tests.models.listed_by_last import ListedByLast

GROUP = np.array([0, 0, 1, 1, 1])
FLOOR = np.array([-1.0, -2.0, -2.0, -3.0, -1.0], dtype=np.float32)


def _lists(*rows: dict[int, float]) -> Lists:
    return Lists(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array([item for row in rows for item in row], dtype=np.int32),
        np.array([score for row in rows for score in row.values()], dtype=np.float32),
    )


def test_ranks_by_hand_with_ties_against_the_model():
    # Scores of the first list: -1, 4, 4, -3, -1; of the second, empty one: the floor.
    lists = _lists({1: 4.0, 2: 4.0}, {})
    ranks, within = ListCounter(FLOOR, GROUP).ranks(lists, np.array([2, 0, 3, 1]), np.array([3, 1]))
    assert ranks.tolist() == [2, 4, 5, 4]
    assert within.tolist() == [1, 2]


SCORES = st.sampled_from([-3.0, -2.0, -1.0, 0.0, 2.0])


@given(
    floor=st.lists(SCORES, min_size=4, max_size=4),
    rows=st.lists(st.dictionaries(st.integers(0, 3), SCORES), max_size=4),
    group=st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_counts_are_those_of_all_scores(floor, rows, group):
    lists = _lists(*rows)
    scores = lists.dense(np.array(floor, dtype=np.float32))
    n = np.full(len(rows), 4)
    ranks, within = ListCounter(np.array(floor, dtype=np.float32), np.array(group)).ranks(
        lists, np.tile([2, 0, 1, 3], len(rows)), n
    )
    expected = [[int((row >= row[i]).sum()) for i in (2, 0, 1, 3)] for row in scores]
    assert ranks.reshape(-1, 4).tolist() == expected
    alike = np.array(group) == group[2]
    assert within.tolist() == [int((row[alike] >= row[2]).sum()) for row in scores]


def test_a_model_of_lists_is_ranked_as_its_scores_are():
    store = SessionStore.from_sequences([[0, 2, 1, 2], [3, 4], [4], [1, 1, 0]])
    vocabulary = vocabulary_of(["Movie", "Movie", "Music", "Book", "Music"])
    model = ListedByLast(
        [{2: 1.0, 3: 1.0}, {0: 2.0, 2: 2.0, 4: 1.0}, {1: 0.5, 2: -9.0}, {}, {4: 1.0}],
        floor=[-1.0, -2.0, -2.0, -3.0, -1.0],
    )
    rows = [
        (int(s), int(p), scores.tolist())
        for block in model.score_positions(store)
        for s, p, scores in zip(block.session, block.position, block.scores, strict=True)
    ]
    expected = rank_predictions(ExplicitScores(rows), store, vocabulary)
    assert rank_predictions(model, store, vocabulary).equals(expected)
    assert target_ranks(model, store, vocabulary).tolist() == expected["rank"].to_list()


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(EvaluationError, match="not a number"):
        ListCounter(np.array([0.0, np.nan]), np.zeros(2, np.int64))
    counter = ListCounter(FLOOR, GROUP)
    with pytest.raises(EvaluationError, match="not a number"):
        counter.ranks(_lists({0: np.nan}), np.array([1]), np.array([1]))


def test_an_item_listed_twice_is_refused():
    lists = Lists(np.array([0, 2]), np.array([3, 3], np.int32), np.ones(2, np.float32))
    with pytest.raises(EvaluationError, match="names item 3 twice"):
        ListCounter(FLOOR, GROUP).ranks(lists, np.array([0]), np.array([1]))


@pytest.mark.parametrize("item", [-1, 5])
def test_an_item_beyond_the_vocabulary_is_refused(item: int):
    with pytest.raises(EvaluationError, match="outside 0 … 4"):
        ListCounter(FLOOR, GROUP).ranks(_lists({item: 1.0}), np.array([0]), np.array([1]))


def test_a_floor_of_another_size_is_refused():
    model = ListedByLast([{}, {}], floor=[0.0, 0.0])
    store = SessionStore.from_sequences([[0, 1]])
    with pytest.raises(EvaluationError, match=r"floor of shape \[2\]; expected \[3\]"):
        rank_predictions(model, store, vocabulary_of(["Movie", "Movie", "Book"]))


def test_one_list_for_several_predictions_is_refused():
    class OneList(ListedByLast):
        def position_lists(self, store):
            for block in super().position_lists(store):
                yield type(block)(block.session, block.position, _lists({0: 1.0}))

    model = OneList([{}, {}], floor=[0.0, 0.0])
    store = SessionStore.from_sequences([[0, 1, 0]])
    with pytest.raises(EvaluationError, match="1 lists for 2 sessions and 2 positions"):
        rank_predictions(model, store, vocabulary_of(["Movie", "Movie"]))
