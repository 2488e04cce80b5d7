import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation import oracle
from crossrec_pipeline.evaluation.oracle import OracleRecommender
from crossrec_pipeline.evaluation.ranking import PositionScorer
from crossrec_pipeline.interactions.forward import next_item_probabilities
from crossrec_pipeline.interactions.item_draws import NO_ITEM, WorldDraws
from crossrec_pipeline.interactions.world import build_world
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.interactions.catalogues import catalogue

ITEMS = catalogue(20, 25, 15)
WORLD = build_world(ITEMS, seed=7)


def vocabulary_of(items: pl.DataFrame) -> Vocabulary:
    return Vocabulary.from_items(
        items.select("item_id", "item_type", pl.lit("").alias("title"), pl.lit(5).alias("support"))
    )


# Not in the world's order, and without some of its items.
VOCABULARY = vocabulary_of(ITEMS.sample(fraction=0.8, shuffle=True, seed=3))


def random_store(n_sessions: int, longest: int = 12) -> SessionStore:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, longest + 1, size=n_sessions)
    return SessionStore.from_sequences(
        [rng.integers(VOCABULARY.n_items, size=length).tolist() for length in lengths]
    )


def test_every_prediction_is_scored_once_as_its_prefix_is():
    store = random_store(30)
    model = OracleRecommender(WORLD, VOCABULARY)
    found = {}
    for block in model.score_positions(store):
        for session, position, scores in zip(
            block.session, block.position, block.scores, strict=True
        ):
            assert (session, position) not in found
            found[(int(session), int(position))] = scores
    assert len(found) == store.n_predictions
    for (session, position), scores in found.items():
        prefix = store[session][:position]
        np.testing.assert_allclose(scores, model.score([prefix])[0], rtol=1e-5, atol=1e-9)


def test_scores_are_the_worlds_probabilities_of_the_vocabularys_items():
    history_ids = VOCABULARY.item_ids[:3]
    session = np.arange(3)
    scores = OracleRecommender(WORLD, VOCABULARY).score([session])[0]
    history = np.array([WORLD.index_of[item] for item in history_ids])
    law = next_item_probabilities(WORLD, [history])[0]
    assert scores.dtype == np.float32
    for index, item_id in enumerate(VOCABULARY.item_ids):
        assert scores[index] == pytest.approx(law[WORLD.index_of[item_id]], rel=1e-6)
    assert scores[session[-1]] == 0.0


def test_blocks_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(oracle, "SCORES_PER_BLOCK", 5 * WORLD.n_items)
    blocks = list(OracleRecommender(WORLD, VOCABULARY).score_positions(random_store(23)))
    assert max(len(block.scores) for block in blocks) == 5


def test_sessions_of_one_event_and_empty_stores_give_nothing():
    model = OracleRecommender(WORLD, VOCABULARY)
    assert list(model.score_positions(SessionStore.from_sequences([[1], [2]]))) == []
    assert list(model.score_positions(SessionStore.from_sequences([]))) == []


def test_item_that_the_world_lacks_is_named():
    strange = vocabulary_of(ITEMS.with_columns(pl.lit("Movie_x").alias("item_id")).head(1))
    with pytest.raises(EvaluationError, match="'Movie_x'"):
        OracleRecommender(WORLD, strange)


def test_fit_takes_the_vocabulary_and_learns_nothing():
    model = OracleRecommender(WORLD, VOCABULARY)
    other = vocabulary_of(ITEMS)
    report = model.fit(random_store(3), other)
    assert report.history == []
    assert model.score([np.array([0])]).shape == (1, ITEMS.height)
    assert model.kind == "oracle"


def test_oracle_is_a_position_scorer():
    scorer: PositionScorer = OracleRecommender(WORLD, VOCABULARY)
    assert callable(scorer.score_positions)


def test_no_simple_model_ranks_better_and_its_probabilities_are_calibrated():
    rng = np.random.default_rng(1)
    lengths = np.full(4_000, 8)
    archetypes = rng.choice(len(WORLD.archetype_share), size=4_000, p=WORLD.archetype_share)
    sessions = WorldDraws(WORLD, archetypes).draw(rng, np.arange(4_000), lengths)
    assert (sessions != NO_ITEM).all()
    everything = vocabulary_of(ITEMS.sort("item_id"))  # the world's order
    store = SessionStore.from_sequences(sessions.tolist())
    popularity = np.bincount(sessions.ravel(), minlength=WORLD.n_items)
    follow = np.zeros((WORLD.n_items, WORLD.n_items))
    np.add.at(follow, (sessions[:, :-1], sessions[:, 1:]), 1)
    hits = {"oracle": 0.0, "markov": 0.0, "popularity": 0.0}
    promised = 0.0
    model = OracleRecommender(WORLD, everything)
    for block in model.score_positions(store):
        target = sessions[block.session, block.position]
        last = sessions[block.session, block.position - 1]
        top = np.argsort(-block.scores, axis=1)[:, :5]
        promised += np.take_along_axis(block.scores, top, axis=1).sum()
        hits["oracle"] += (top == target[:, None]).sum()
        # Learnt from these very sessions, which flatters them.
        hits["markov"] += (np.argsort(-follow[last], axis=1)[:, :5] == target[:, None]).sum()
        hits["popularity"] += np.isin(target, np.argsort(-popularity)[:5]).sum()
    recall = {name: count / store.n_predictions for name, count in hits.items()}
    assert recall["oracle"] > recall["markov"] > 1.2 * recall["popularity"]
    # Its own probabilities promise just the hits it gets.
    assert recall["oracle"] == pytest.approx(promised / store.n_predictions, abs=0.01)
