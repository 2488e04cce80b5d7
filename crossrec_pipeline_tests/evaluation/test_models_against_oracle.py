"""What the models reach of what can be reached: on a log of a known law, and on one of none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from crossrec_pipeline.evaluation.oracle import OracleRecommender
from crossrec_pipeline.evaluation.ranking import PositionScorer, rank_predictions
from crossrec_pipeline.evaluation.slices import evaluate, evaluate_chance
from crossrec_pipeline.interactions.simulate import simulate_log, simulate_uniform_log
from crossrec_pipeline.interactions.world import build_world
from crossrec_pipeline.models.base import PositionScores, Recommender
from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.sessions.dataset import build_session_dataset
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.settings import SessionSettings, SimulationSettings, SplitSettings
from crossrec_pipeline_tests.interactions.catalogues import catalogue

pytestmark = pytest.mark.xdist_group("models against oracle")

K = 20
SEED = 7
ITEMS = catalogue(100, 100, 100).with_columns(title=pl.col("item_id"))
LOG = SimulationSettings(seed=SEED, n_events=60_000, n_users=2_000, n_days=30)
STANDARD_ERRORS = 4.0
"""Chance leaves this band once in 16,000 times."""


@dataclass(frozen=True)
class Evaluated:
    """Models fitted on one log, their ranks on its test part, and its Recall@20 by model."""

    dataset: SessionDataset
    models: Mapping[str, PositionScorer]
    ranks: Mapping[str, pl.DataFrame]
    recall: Mapping[str, float]


def fit_and_evaluate(
    dataset: SessionDataset, epochs: int, others: Mapping[str, PositionScorer]
) -> Evaluated:
    network = GRU4Rec(preset("default", device="cpu", epochs=epochs), progress_bar=False)
    fitted: list[Recommender] = [Popularity(), Markov(), network]
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for model in fitted:
            model.fit(dataset.train, dataset.vocabulary, dataset.validation)
        models = {model.kind: model for model in fitted} | dict(others)
        ranks = {
            name: rank_predictions(model, dataset.test, dataset.vocabulary)
            for name, model in models.items()
        }
    finally:
        torch.set_num_threads(n_threads)
    metrics = pl.concat(
        [
            evaluate_chance(ranks["popularity"], dataset.vocabulary),
            *(evaluate(name, frame, dataset.vocabulary.types) for name, frame in ranks.items()),
        ]
    )
    overall = metrics.filter(
        pl.col("slice") == "overall",
        pl.col("relevance") == "next",
        pl.col("metric") == "recall",
        pl.col("k") == K,
    )
    return Evaluated(dataset, models, ranks, dict(overall.select("model", "value").iter_rows()))


def sessions_of(events_dir: Path) -> SessionDataset:
    return build_session_dataset(events_dir, ITEMS, SessionSettings(), SplitSettings())[0]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    events_dir = tmp_path_factory.mktemp("simulated") / "events"
    world = build_world(ITEMS, SEED)
    simulate_log(world, LOG, events_dir)
    dataset = sessions_of(events_dir)
    oracle = OracleRecommender(world, dataset.vocabulary)
    return fit_and_evaluate(dataset, epochs=4, others={"oracle": oracle})


@pytest.fixture(scope="module")
def uniform(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    events_dir = tmp_path_factory.mktemp("uniform") / "events"
    simulate_uniform_log(ITEMS, LOG, events_dir)
    return fit_and_evaluate(sessions_of(events_dir), epochs=2, others={})


def lead_in_standard_errors(evaluated: Evaluated, model: str, other: str) -> float:
    """Return the paired difference of two models' hits, whole sessions being independent."""
    hits = [evaluated.ranks[name]["rank"].to_numpy() <= K for name in (model, other)]
    difference = hits[0].astype(float) - hits[1]
    session = evaluated.ranks[model]["session"].to_numpy()
    by_session = np.bincount(session, weights=difference - difference.mean())
    return float(difference.sum() / np.sqrt((by_session**2).sum()))


def test_the_network_reaches_four_fifths_of_what_the_law_allows(simulated: Evaluated):
    assert simulated.recall["gru4rec"] >= 0.8 * simulated.recall["oracle"]


def test_four_fifths_are_more_than_the_baselines_reach(simulated: Evaluated):
    for baseline in ("popularity", "markov"):
        assert simulated.recall[baseline] < 0.8 * simulated.recall["oracle"]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("oracle", "gru4rec"),
        ("gru4rec", "markov"),
        ("markov", "popularity"),
    ],
)
def test_models_stand_clearly_in_the_order_of_what_they_use(
    simulated: Evaluated, better: str, worse: str
):
    assert lead_in_standard_errors(simulated, better, worse) > STANDARD_ERRORS


def expected_hits(model: PositionScorer, store: SessionStore) -> Iterator[np.ndarray]:
    """Yield the exact probability of each hit if every item but the last one is alike, float [P].

    An item never follows itself, so that one place among the first 20 is wasted where the last
    item has it, and each other place is worth 1 / (V - 1). Items that tie with the one behind the
    first 20 have no place: ties count against the model.
    """
    for block in model.score_positions(store):
        behind = np.partition(block.scores, -(K + 1), axis=1)[:, -(K + 1), None]
        among_first = block.scores > behind
        last = store.item_index[store.offsets[block.session] + block.position - 1]
        n_useful = among_first.sum(axis=1) - among_first[np.arange(len(last)), last]
        yield n_useful / (block.scores.shape[1] - 1)


def distance_from_chance(model: PositionScorer, dataset: SessionDataset) -> float:
    """Return how many standard errors the hits are above what chance gives this model."""
    expected = np.concatenate(list(expected_hits(model, dataset.test)))
    ranks = rank_predictions(model, dataset.test, dataset.vocabulary)["rank"].to_numpy()
    surplus = (ranks <= K).sum() - expected.sum()
    return float(surplus / np.sqrt((expected * (1 - expected)).sum()))


@pytest.mark.parametrize("kind", ["popularity", "markov", "gru4rec"])
def test_no_model_finds_anything_where_there_is_nothing(uniform: Evaluated, kind: str):
    assert abs(distance_from_chance(uniform.models[kind], uniform.dataset)) < STANDARD_ERRORS


def test_on_the_uniform_log_the_report_puts_every_model_beside_chance(uniform: Evaluated):
    n_items = uniform.dataset.vocabulary.n_items
    assert n_items == ITEMS.height  # else some items would be known to be left out
    chance = uniform.recall["chance"]
    assert chance == pytest.approx(K / n_items)
    error = np.sqrt(chance * (1 - chance) / uniform.dataset.test.n_predictions)
    for kind in uniform.models:
        # The band of the exact test, and one place among the first 20 lost to the last item or
        # to ties.
        assert chance - 1 / n_items - STANDARD_ERRORS * error < uniform.recall[kind]
        assert uniform.recall[kind] < K / (n_items - 1) + STANDARD_ERRORS * error


class Peeking:
    """A model that is shown the true next item now and then."""

    def __init__(self, model: PositionScorer, share: float):
        self._model = model
        self._share = share

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        rng = np.random.default_rng(0)
        for block in self._model.score_positions(store):
            shown = rng.random(len(block.session)) < self._share
            target = store.item_index[store.offsets[block.session] + block.position]
            scores = block.scores.copy()
            scores[shown, target[shown]] = np.inf
            yield PositionScores(block.session, block.position, scores)


def test_a_model_that_sees_one_target_in_thirty_is_found_out(uniform: Evaluated):
    peeking = Peeking(uniform.models["markov"], 1 / 30)
    assert distance_from_chance(peeking, uniform.dataset) > STANDARD_ERRORS
