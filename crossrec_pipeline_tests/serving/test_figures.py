from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.evaluation.ranked_bundles import write_ranked_bundles
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.evaluation.slices import evaluate, evaluate_chance
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.models.registry import KINDS, Bundle, save_bundle
from crossrec_pipeline.serving.figures import LABELS, read_figures
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.evaluation.explicit_scores import ExplicitScores
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

# 30 movies and 30 books.
VOCABULARY = vocabulary_of(*(f"Movie_{n}" for n in range(30)), *(f"Book_{n}" for n in range(30)))
# After movie 0 come movie 1 and book 30; after book 31 comes movie 2.
TEST = SessionStore.from_sequences([[0, 1], [0, 30], [31, 2]])
RANK_OF_TARGET = (1, 2, 21)


def ranks() -> pl.DataFrame:
    """Rank the three targets 1st, 2nd and 21st: Recall@20 is 2/3, MRR@20 (1 + 1/2) / 3 = .5."""
    rows = []
    for session, (rank, target) in enumerate(zip(RANK_OF_TARGET, (1, 30, 2), strict=True)):
        others = [item for item in range(60) if item != target]
        order = [*others[: rank - 1], target, *others[rank - 1 :]]
        rows.append((session, 1, -np.argsort(order).astype(np.float32)))
    return rank_predictions(ExplicitScores(rows), TEST, VOCABULARY)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def bundle(settings: Settings) -> Bundle:
    """Leave behind what the evaluation of one popularity model leaves."""
    model = Popularity()
    model.fit(TEST, VOCABULARY)
    bundle = save_bundle(model, VOCABULARY, settings.models_dir, inputs={})
    SessionDataset(TEST, TEST, TEST, VOCABULARY).save(settings.sessions_dir)
    folder = settings.evaluation_dir / "ranks"
    folder.mkdir(parents=True)
    ranks().write_parquet(folder / "popularity.parquet")
    write_ranked_bundles(folder, {"popularity": bundle.data_version})
    metrics = pl.concat(
        [
            evaluate("popularity", ranks(), VOCABULARY.types, n_resamples=20),
            evaluate_chance(ranks(), VOCABULARY),
        ]
    )
    metrics.write_parquet(settings.evaluation_dir / "metrics.parquet")
    return bundle


def test_figures_of_the_evaluated_bundle(bundle: Bundle, settings: Settings):
    found = read_figures(bundle, settings)
    assert found is not None
    assert (found.cutoff, found.n_predictions, found.n_items) == (20, 3, 60)
    assert [(model.model, model.label, model.served) for model in found.models] == [
        ("popularity", "Popularity", True),
        ("chance", "Chance", False),
    ]
    served, chance = found.models
    assert served.recall.value == pytest.approx(2 / 3)
    assert served.mrr.value == pytest.approx(0.5)
    assert served.recall.low is not None
    assert served.recall.low <= 2 / 3 <= (served.recall.high or 0)
    assert (chance.recall.value, chance.recall.low) == (pytest.approx(20 / 60), None)


def test_figures_by_type_and_transition(bundle: Bundle, settings: Settings):
    found = read_figures(bundle, settings)
    assert found is not None
    by_type = [(f.item_type, f.n_predictions, f.recall.value) for f in found.by_type]
    # Movies are ranked 1st and 21st, the book 2nd.
    assert by_type == [("Book", 1, 1.0), ("Movie", 2, 0.5)]
    assert found.by_type[0].mrr.value == 0.5
    assert found.by_type[0].chance_recall == pytest.approx(1 / 3)
    # No book follows a book: there is nothing to tell of it.
    assert [(f.source_type, f.target_type, f.recall.value) for f in found.transitions] == [
        ("Book", "Movie", 0.0),
        ("Movie", "Book", 1.0),
        ("Movie", "Movie", 1.0),
    ]


def test_a_simulated_log_is_called_one(bundle: Bundle, settings: Settings):
    found = read_figures(bundle, settings)
    assert found is not None
    assert found.events == "simulated, seed 7"
    assert found.notes[0].startswith("The log is simulated")
    assert found.test_start == "1970-01-01T00:00:00+00:00"


def test_of_a_log_of_files_only_the_name_is_told(bundle: Bundle, settings: Settings):
    real = settings.model_copy(update={"events": "/home/ann/secret/events.parquet"})
    found = read_figures(bundle, real)
    assert found is not None
    assert found.events == "events.parquet"
    assert not any("simulated" in note for note in found.notes)


def test_another_bundle_of_the_kind_has_no_figures(bundle: Bundle, settings: Settings):
    write_ranked_bundles(settings.evaluation_dir / "ranks", {"popularity": "another"})
    assert read_figures(bundle, settings) is None


def test_metrics_of_other_ranks_are_nobodys_figures(bundle: Bundle, settings: Settings):
    path = settings.evaluation_dir / "ranks" / "popularity.parquet"
    pl.read_parquet(path).with_columns(pl.lit(1, pl.Int32).alias("rank")).write_parquet(path)
    assert read_figures(bundle, settings) is None


@pytest.mark.parametrize("name", ["metrics.parquet", "ranks/popularity.parquet"])
def test_without_an_evaluation_there_are_no_figures(bundle: Bundle, settings: Settings, name: str):
    (settings.evaluation_dir / name).unlink()
    assert read_figures(bundle, settings) is None


def test_every_kind_has_a_name():
    assert set(KINDS) <= set(LABELS)
