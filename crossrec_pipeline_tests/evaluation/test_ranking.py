import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation import ranking
from crossrec_pipeline.evaluation.ranking import RANKS, rank_predictions, target_ranks
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import (
    ExplicitFactors,
    ExplicitScores,
    vocabulary_of,
)

VOCABULARY = vocabulary_of(["Movie", "Movie", "Music", "Book", "Music"])
STORE = SessionStore.from_sequences([[0, 2, 1, 2], [3, 4]])
ROWS = [
    #        item: 0     1     2     3     4
    (0, 1, [0.90, 0.20, 0.50, 0.50, 0.10]),  # next is 2, tied with 3; then 1; then 2 again
    (0, 2, [0.10, 0.90, 0.80, 0.70, 0.60]),  # next is 1; then 2
    (0, 3, [0.50, 0.40, 0.30, 0.20, 0.30]),  # next is 2, tied with 4 of its own type
    (1, 1, [0.00, 0.00, 0.00, 0.00, 0.00]),  # next is 4, all alike
]
EXPECTED = [
    {"session": 0, "position": 1, "source_type": "Movie", "target_type": "Music"}
    | {"target_index": 2, "rank": 3, "rank_within_type": 1, "target_support": 98}
    | {"rest_ranks": [3, 4]},
    {"session": 0, "position": 2, "source_type": "Music", "target_type": "Movie"}
    | {"target_index": 1, "rank": 1, "rank_within_type": 1, "target_support": 99}
    | {"rest_ranks": [1, 2]},
    {"session": 0, "position": 3, "source_type": "Movie", "target_type": "Music"}
    | {"target_index": 2, "rank": 4, "rank_within_type": 2, "target_support": 98}
    | {"rest_ranks": [4]},
    {"session": 1, "position": 1, "source_type": "Book", "target_type": "Music"}
    | {"target_index": 4, "rank": 5, "rank_within_type": 2, "target_support": 96}
    | {"rest_ranks": [5]},
]


def test_ranks_by_hand_with_ties_against_the_model():
    ranks = rank_predictions(ExplicitScores(ROWS), STORE, VOCABULARY)

    assert ranks.to_dicts() == EXPECTED
    assert ranks.schema == pl.Schema(RANKS)


def _factored(rows: list[tuple[int, int, list[float]]], block_size: int = 1_000):
    """The same scores as inner products, with a column for each item."""
    return ExplicitFactors(
        [(s, p, [2 * score for score in scores]) for s, p, scores in rows],
        np.eye(5) / 2,
        np.zeros(5),
        block_size,
    )


@pytest.mark.parametrize("block_size", [1, 3, 10])
def test_ranks_of_a_factored_model_by_hand(block_size: int):
    ranks = rank_predictions(_factored(ROWS[::-1], block_size), STORE, VOCABULARY)

    assert ranks.to_dicts() == EXPECTED
    assert ranks.schema == pl.Schema(RANKS)


@pytest.mark.parametrize("model", [ExplicitScores, _factored])
def test_the_next_item_alone_has_the_same_ranks(model):
    ranks = target_ranks(model([ROWS[i] for i in (3, 1, 0, 2)], 3), STORE, VOCABULARY)

    assert ranks.tolist() == [row["rank"] for row in EXPECTED]
    assert ranks.dtype == np.int32


@pytest.mark.parametrize("block_size", [1, 3])
def test_blocks_may_come_in_any_order_and_size(block_size: int):
    model = ExplicitScores([ROWS[i] for i in (3, 1, 0, 2)], block_size)

    assert rank_predictions(model, STORE, VOCABULARY).to_dicts() == EXPECTED


def test_scores_of_minus_infinity_are_ranked_last():
    rows = [(0, 1, [0.0, -np.inf, 1.0, -np.inf, 2.0])]
    store = SessionStore.from_sequences([[0, 1]])

    assert rank_predictions(ExplicitScores(rows), store, VOCABULARY)["rank"].to_list() == [5]


def test_a_store_without_predictions_gives_an_empty_frame_of_the_schema():
    ranks = rank_predictions(ExplicitScores([]), SessionStore.from_sequences([[1]]), VOCABULARY)

    assert ranks.height == 0
    assert ranks.schema == pl.Schema(RANKS)


def _naive(store: SessionStore, scores: np.ndarray, type_codes: np.ndarray) -> list[tuple]:
    rows, at = [], 0
    for sequence in store:
        for position in range(1, len(sequence)):
            row = scores[at]
            distinct = dict.fromkeys(sequence[position:].tolist())
            rest = [int((row >= row[item]).sum()) for item in distinct]
            target = sequence[position]
            same_type = type_codes == type_codes[target]
            rows.append((rest[0], int(((row >= row[target]) & same_type).sum()), rest))
            at += 1
    return rows


@settings(max_examples=60, deadline=None)
@given(
    sequences=st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=12), max_size=6),
    seed=st.integers(0, 2**16),
    scores_at_once=st.sampled_from([1, 60, 1 << 18]),
)
def test_equal_to_counting_one_by_one(sequences: list[list[int]], seed: int, scores_at_once: int):
    rng = np.random.default_rng(seed)
    store = SessionStore.from_sequences(sequences)
    vocabulary = vocabulary_of(["Movie", "Music", "Music"] * 3)
    scores = rng.integers(0, 6, (store.n_predictions, 9)).astype(np.float32)  # many ties
    places = [(s, p) for s, items in enumerate(sequences) for p in range(1, len(items))]
    rows = [(s, p, scores[i].tolist()) for i, (s, p) in enumerate(places)]
    shuffled = [rows[i] for i in rng.permutation(len(rows))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_SCORES_AT_ONCE", scores_at_once)
        ranks = rank_predictions(ExplicitScores(shuffled, 5), store, vocabulary)
    factored = ExplicitFactors(shuffled, np.eye(9), np.zeros(9), 5)

    found = ranks.select("rank", "rank_within_type", "rest_ranks").rows()
    assert found == _naive(store, scores, vocabulary.type_codes)
    assert ranks.select("session", "position").rows() == places
    assert rank_predictions(factored, store, vocabulary).equals(ranks)


def test_a_score_that_is_not_a_number_is_refused():
    rows = [*ROWS[:3], (1, 1, [0.0, np.nan, 0.0, 0.0, 0.0])]

    for model in (ExplicitScores, _factored):
        with pytest.raises(EvaluationError, match="not a number"):
            rank_predictions(model(rows), STORE, VOCABULARY)


@pytest.mark.parametrize("model", [ExplicitScores, _factored])
@pytest.mark.parametrize("rank", [rank_predictions, target_ranks])
def test_a_missing_prediction_is_named(model, rank):
    with pytest.raises(EvaluationError, match=r"1 of 4 predictions.*position 2 of session 0"):
        rank(model([ROWS[0], *ROWS[2:]]), STORE, VOCABULARY)


@pytest.mark.parametrize("block_size", [1, 10])
def test_a_repeated_prediction_is_named(block_size: int):
    with pytest.raises(EvaluationError, match="position 2 of session 0 more than once"):
        rank_predictions(ExplicitScores([*ROWS, ROWS[1]], block_size), STORE, VOCABULARY)


@pytest.mark.parametrize(("session", "position"), [(1, 0), (1, 2), (2, 1), (-1, 1)])
def test_a_prediction_the_store_does_not_have_is_named(session: int, position: int):
    model = ExplicitScores([(session, position, [0.0] * 5)])

    with pytest.raises(EvaluationError, match=f"position {position} of session {session}, which"):
        rank_predictions(model, STORE, VOCABULARY)


def test_scores_of_another_number_of_items_are_refused():
    model = ExplicitScores([(s, p, scores[:4]) for s, p, scores in ROWS])

    with pytest.raises(EvaluationError, match=r"shape \[4, 4\].*expected \[4, 5\]"):
        rank_predictions(model, STORE, VOCABULARY)


def test_vectors_of_another_number_of_items_are_refused():
    model = ExplicitFactors(ROWS, np.eye(4, 5), np.zeros(4))

    with pytest.raises(EvaluationError, match=r"shape \[4, 5\].*expected 5"):
        rank_predictions(model, STORE, VOCABULARY)


def test_hidden_states_of_another_width_are_refused():
    model = ExplicitFactors(ROWS, np.eye(5, 4), np.zeros(5))

    with pytest.raises(EvaluationError, match=r"shape \[4, 5\].*expected \[4, 4\]"):
        rank_predictions(model, STORE, VOCABULARY)


def test_sessions_of_a_larger_vocabulary_are_refused():
    with pytest.raises(EvaluationError, match="item index 7"):
        rank_predictions(ExplicitScores([]), SessionStore.from_sequences([[0, 7]]), VOCABULARY)
