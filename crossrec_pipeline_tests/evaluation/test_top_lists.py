from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation import top_lists as module
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.evaluation.top_lists import top_lists
from crossrec_pipeline.models.base import PositionScores, top_k
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import (
    ExplicitFactors,
    ExplicitScores,
    vocabulary_of,
)
from crossrec_pipeline_tests.models.listed_by_last import ListedByLast

VOCABULARY = vocabulary_of(["Movie", "Movie", "Music", "Book", "Music"])
STORE = SessionStore.from_sequences([[0, 2, 1, 2], [3, 4]])
ROWS = [
    #        item: 0     1     2     3     4
    (0, 1, [0.90, 0.20, 0.50, 0.50, 0.10]),
    (0, 2, [0.10, 0.90, 0.80, 0.70, 0.60]),
    (0, 3, [0.30, 0.30, 0.30, 0.20, 0.30]),
    (1, 1, [0.00, 0.00, 0.00, 0.00, 0.00]),
]
BEST_THREE = [[0, 2, 3], [1, 2, 3], [0, 1, 2], [0, 1, 2]]


class Listed(ListedByLast):
    """Gives its lists only."""

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        raise AssertionError("scores are written out")


@pytest.mark.parametrize("block_size", [1, 3, 10])
def test_best_first_and_ties_by_item_index(block_size: int):
    found = top_lists(ExplicitScores(ROWS[::-1], block_size), STORE, VOCABULARY, 3)

    assert found.items.tolist() == BEST_THREE
    assert found.items.dtype == np.int32
    assert found.prediction.tolist() == [0, 1, 2, 3]


def test_lists_of_a_factored_model():
    model = ExplicitFactors(ROWS[::-1], np.eye(5), np.zeros(5), 3)

    assert top_lists(model, STORE, VOCABULARY, 3).items.tolist() == BEST_THREE


def test_a_list_replaces_scores_of_the_floor():
    after = [
        {3: 0.9},  # above the floor
        {},  # the floor alone
        {0: 0.0, 1: -1.0},  # below the floor
        {4: 0.5, 2: 0.5},  # tied with item 0 of the floor
        {},
    ]
    model = Listed(after, [0.5, 0.4, 0.3, 0.2, 0.1])
    store = SessionStore.from_sequences([[0, 1, 2, 3, 4]])

    found = top_lists(model, store, VOCABULARY, 3)

    assert found.items.tolist() == [[3, 0, 1], [0, 1, 2], [2, 3, 4], [0, 2, 4]]


def test_lists_are_no_longer_than_the_vocabulary():
    found = top_lists(ExplicitScores(ROWS), STORE, VOCABULARY, 20)

    assert found.items.shape == (4, 5)
    assert np.sort(found.items, axis=1).tolist() == [[0, 1, 2, 3, 4]] * 4


def test_a_store_without_predictions_gives_no_lists():
    store = SessionStore.from_sequences([[1]])

    for model in (ExplicitScores([]), ExplicitFactors([], np.eye(5), np.zeros(5))):
        assert top_lists(model, store, VOCABULARY, 3).items.shape == (0, 3)


def _sessions(seed: int, n_sessions: int) -> SessionStore:
    rng = np.random.default_rng(seed)
    return SessionStore.from_sequences(
        [rng.integers(0, 9, rng.integers(2, 7)).tolist() for _ in range(n_sessions)]
    )


def test_a_sample_has_the_lists_of_its_predictions():
    store, vocabulary = _sessions(0, 60), vocabulary_of(["Movie"] * 9)
    model = Markov()
    model.fit(store, vocabulary)
    everything = top_lists(model, store, vocabulary, 4)

    sample = top_lists(model, store, vocabulary, 4, n_predictions=25, seed=3)

    assert len(sample.prediction) == len(set(sample.prediction.tolist())) == 25
    assert sample.items.tolist() == everything.items[sample.prediction].tolist()
    again = top_lists(model, store, vocabulary, 4, n_predictions=25, seed=3)
    assert again.prediction.tolist() == sample.prediction.tolist()
    other = top_lists(model, store, vocabulary, 4, n_predictions=25, seed=4)
    assert other.prediction.tolist() != sample.prediction.tolist()


def test_a_sample_of_more_than_there_is_takes_everything():
    found = top_lists(ExplicitScores(ROWS), STORE, VOCABULARY, 3, n_predictions=5)

    assert found.prediction.tolist() == [0, 1, 2, 3]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    k=st.integers(1, 9),
    scores_at_once=st.sampled_from([1, 60, 1 << 24]),
)
def test_equal_to_sorting_whole_rows(seed: int, k: int, scores_at_once: int):
    rng = np.random.default_rng(seed)
    store, vocabulary = _sessions(seed, 5), vocabulary_of(["Movie"] * 9)
    floor = rng.integers(0, 4, 9)
    lists = [
        {int(i): float(rng.integers(0, 6)) for i in rng.permutation(9)[: rng.integers(0, 10)]}
        for _ in range(9)
    ]
    listed = Listed(lists, floor.tolist())
    places = [(s, p) for s, items in enumerate(store) for p in range(1, len(items))]
    scores = listed.score([store[s][:p] for s, p in places])  # many ties
    rows = [(s, p, scores[i].tolist()) for i, (s, p) in enumerate(places)]
    expected, _ = top_k(scores, k)
    factored = ExplicitFactors(rows, np.eye(9), np.zeros(9), 4)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SCORES_AT_ONCE", scores_at_once)
        for model in (listed, factored, ExplicitScores(rows, 4)):
            assert top_lists(model, store, vocabulary, k).items.tolist() == expected.tolist()


def test_a_factored_list_holds_the_target_where_its_rank_says_so():
    rng = np.random.default_rng(5)
    n_items = 300
    vocabulary = vocabulary_of(["Movie"] * n_items)
    store = SessionStore.from_sequences(rng.integers(0, n_items, (40, 6)).tolist())
    # Few distinct vectors: many items tie, on and off the last place of a list.
    weight = rng.standard_normal((40, 24))[rng.integers(0, 40, n_items)].astype(np.float32)
    rows = [(s, p, rng.standard_normal(24).tolist()) for s in range(40) for p in range(1, 6)]
    model = ExplicitFactors(rows, weight, np.zeros(n_items, dtype=np.float32), 64)
    ranks = rank_predictions(model, store, vocabulary)

    found = top_lists(model, store, vocabulary, 20)

    target = ranks["target_index"].to_numpy()
    is_listed = (found.items == target[:, None]).any(axis=1)
    hit = ranks["rank"].to_numpy() <= 20
    assert is_listed[hit].all()
    assert hit.any()
    assert (~is_listed).any()


def test_scores_that_are_not_numbers_are_refused():
    rows = [*ROWS[:3], (1, 1, [0.0, np.nan, 0.0, 0.0, 0.0])]
    models = (
        ExplicitScores(rows),
        ExplicitFactors(rows, np.eye(5), np.zeros(5)),
        Listed([{1: np.nan}] * 5, [0.0] * 5),
        Listed([{}] * 5, [np.nan] * 5),
    )
    for model in models:
        with pytest.raises(EvaluationError, match="not a number"):
            top_lists(model, STORE, VOCABULARY, 3)


def test_a_missing_prediction_is_refused():
    with pytest.raises(EvaluationError, match="no scores for 1 of 4 predictions"):
        top_lists(ExplicitScores(ROWS[:3]), STORE, VOCABULARY, 3)


def test_scores_of_another_number_of_items_are_refused():
    models = (
        ExplicitScores([(s, p, scores[:4]) for s, p, scores in ROWS]),
        ExplicitFactors(ROWS, np.eye(4, 5), np.zeros(4)),
        Listed([{}] * 5, [0.0] * 4),
    )
    for model in models:
        with pytest.raises(EvaluationError, match=r"scores 4 items; expected the 5"):
            top_lists(model, STORE, VOCABULARY, 3)


@pytest.mark.parametrize("n_lists", [0, 1, 3])
def test_lists_are_read_back_from_their_frame_as_they_were(n_lists: int):
    items = np.arange(4 * n_lists, dtype=np.int32).reshape(n_lists, 4)
    lists = module.TopLists(np.arange(n_lists, dtype=np.int64) * 2, items)

    frame = lists.frame()
    assert dict(frame.schema) == module.TOP_LISTS
    found = module.TopLists.of_frame(frame)
    assert found.items.tolist() == items.tolist()
    assert found.items.dtype == np.int32
    assert found.prediction.tolist() == lists.prediction.tolist()
