"""A real log and its items, as domains of a user's own, through the whole pipeline."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import torch

from crossrec_pipeline import load_recommender
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.evaluation import metrics_path
from crossrec_pipeline.defs.sessions import statistics_path
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.sessions.store import PARTS, SessionDataset
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.amazon import LONGEST_RECORD_MINUTES, Delivery, deliver
from crossrec_pipeline_tests.lineage_world import RIVALS

REAL_DATA = os.environ.get("CROSSREC_REAL_DATA")

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(REAL_DATA is None, reason="CROSSREC_REAL_DATA is not set"),
    pytest.mark.xdist_group("real data"),
]

TYPES = {"Book", "Movie"}


@dataclass(frozen=True)
class Built:
    """What was delivered, and what the pipeline made of it."""

    delivery: Delivery
    settings: Settings

    @cached_property
    def items(self) -> pl.DataFrame:
        return self._warehouse.read("catalogue.items")

    @cached_property
    def rejected_items(self) -> pl.DataFrame:
        return self._warehouse.read("catalogue.rejected_items")

    @cached_property
    def events(self) -> pl.DataFrame:
        return pl.read_parquet(self.settings.events_dir / "**/*.parquet")

    @cached_property
    def dataset(self) -> SessionDataset:
        return SessionDataset.open(self.settings.sessions_dir)

    @cached_property
    def metrics(self) -> pl.DataFrame:
        """Recall@20 of the next item."""
        return pl.read_parquet(metrics_path(self.settings)).filter(
            pl.col("relevance") == "next", pl.col("metric") == "recall", pl.col("k") == 20
        )

    @property
    def _warehouse(self) -> Warehouse:
        return Warehouse(path=str(self.settings.warehouse_path))

    def recall(self, model: str) -> float:
        return self.metrics.filter(pl.col("slice") == "overall", pl.col("model") == model)[
            "value"
        ].item()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("amazon")
    delivery = deliver(Path(REAL_DATA or ""), folder)
    settings = load_settings(
        data_dir=folder / "data",
        sessions={"gap_minutes": LONGEST_RECORD_MINUTES, "min_support": 5},
        content={"encoder": "hashed"},
        training={"device": "cpu"},
        # What the hybrid needs; all rivals are trained in test_pipeline_end_to_end.py.
        evaluation={"rivals": RIVALS},
        **delivery.settings,
    )
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        job.execute_in_process(instance=dg.DagsterInstance.ephemeral())
    finally:
        torch.set_num_threads(n_threads)
    return Built(delivery, settings)


def test_every_item_delivered_is_published_or_rejected(built: Built):
    published = dict(built.items["item_type"].cast(pl.String).value_counts().iter_rows())
    assert published == built.delivery.n_items == {"Movie": 23_284, "Book": 39_412}
    assert built.rejected_items.is_empty()


def test_what_the_list_does_not_say_is_filled_in_and_can_be_found_again(built: Built):
    imputed = {tuple(sorted(columns)) for columns in built.items["imputed"].to_list()}
    assert imputed == {("creators", "description", "genres", "popularity")}
    untitled = built.items.filter(
        pl.col("item_id") == pl.format("{}_{}", pl.col("item_type").cast(pl.String), "title")
    )
    by_type = dict(untitled["item_type"].cast(pl.String).value_counts().iter_rows())
    assert by_type == built.delivery.n_without_title


def test_every_event_delivered_is_accepted_or_rejected(built: Built):
    rejected = pl.read_parquet(built.settings.rejected_events_path)
    assert built.events.height + rejected.height == built.delivery.n_events == 148_205
    assert rejected.is_empty()
    assert built.events["user_id"].n_unique() == 15_352
    assert built.events["item_id"].n_unique() == built.items.height


def test_every_accepted_event_is_in_a_part_or_counted_as_left_out(built: Built):
    counts = json.loads(statistics_path(built.settings).read_text())
    kept, left_out = counts["events"], counts["dropped_events"]
    assert kept == {part: getattr(built.dataset, part).n_events for part in PARTS}
    assert sum(kept.values()) + sum(left_out.values()) == built.events.height


def test_a_users_record_is_one_session_in_the_order_of_days(built: Built):
    for part in PARTS:
        users = getattr(built.dataset, part).keys["user_id"]
        assert users.is_unique().all()
    assert built.dataset.vocabulary.support.min() >= 5


@pytest.mark.parametrize("model", ["markov", "gru4rec", "sequential_rules", "vstan", "hybrid"])
def test_models_that_read_the_session_beat_popularity_by_a_quarter(built: Built, model: str):
    # Of one another nothing is said: they differ by little more than one standard error.
    assert built.recall(model) > 1.25 * built.recall("popularity")
    assert built.recall("popularity") > 2 * built.recall("chance")


def test_transitions_within_and_across_types_are_reported(built: Built):
    transitions = built.metrics.filter(pl.col("slice") == "transition", model="gru4rec")
    pairs = set(transitions.select("source_type", "target_type").iter_rows())
    assert pairs == {(source, target) for source in TYPES for target in TYPES}
    assert transitions["n"].min() > 0  # type: ignore[operator]
    assert transitions["n"].sum() == built.dataset.test.n_predictions
    report = (built.settings.evaluation_dir / "report.md").read_text()
    assert "Recall@20 of gru4rec by transition (n)" in report
    assert "oracle" not in report  # nobody knows the law of this log


def test_the_champion_recommends_books_after_a_movie(built: Built, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CROSSREC_DATA_DIR", str(built.settings.data_dir))
    recommender = load_recommender()
    assert recommender.bundle.kind == "hybrid"
    movie = built.dataset.vocabulary.frame.filter(item_type="Movie")["item_id"][0]
    books = recommender.recommend_next_items([movie], 5, types=["Book"])
    assert len({book.item_id for book in books}) == 5
    assert {book.item_type for book in books} == {"Book"}
    assert all(0 < book.score < 1 for book in books)
