"""Logs to measure on what content brings: their sessions, and sessions with items that came later.

`simulated` draws the sample's log from a world in which an item's genres decide what moods prefer
it (planted), or say nothing (none). A tenth of the items comes to the log with its test part only.
`amazon` is the reviews of movies and books in the folder of real data; most items there have too
few events to be in the vocabulary.
"""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.domains import BUILT_IN, DomainSpec
from crossrec_pipeline.interactions.load import load_log
from crossrec_pipeline.interactions.simulate import simulate_log
from crossrec_pipeline.interactions.world import WorldParameters, build_world
from crossrec_pipeline.sessions.build import EVENT_COLUMNS, build_sessions
from crossrec_pipeline.sessions.dataset import build_session_dataset
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import (
    SessionSettings,
    SimulationSettings,
    SplitSettings,
    load_settings,
)
from crossrec_pipeline_tests.amazon import BOOKS, LONGEST_RECORD_MINUTES, MOVIES, deliver

NEW_SHARE = 0.1
WORLDS = {
    # Moods differ by genres, and little by favourites of their own.
    "planted": WorldParameters(niche_spread=0.5, genre_floor=0.003),
    # Every genre suits every mood: what moods prefer cannot be told from an item's words.
    "none": WorldParameters(genre_floor=1.0),
}
"""Worlds by what genres say in them."""


@dataclass(frozen=True)
class Log:
    """A log, split in time.

    Attributes
    ----------
    name
        What it is called.
    items
        Columns of `catalogue.items`; an item that has no words has an empty title.
    dataset
        Sessions over the items that train knows.
    later
        Test sessions with all their items, item ids each.
    in_train
        Items with an event before the test part, in train or in validation.
    """

    name: str
    items: pl.DataFrame
    dataset: SessionDataset
    later: list[list[str]]
    in_train: set[str]


def simulated(
    world: str, n_events: int, seed: int = 7, sessions: SessionSettings | None = None
) -> Log:
    """Simulate a log over the sample's catalogue; see `WORLDS`."""
    items = _items(dict.fromkeys(BUILT_IN.values(), "sample"))
    settings = SimulationSettings(n_events=n_events, n_users=max(200, n_events // 60), seed=seed)
    new = new_items(items, seed)
    with tempfile.TemporaryDirectory() as folder:
        events_dir = Path(folder) / "events"
        simulate_log(build_world(items, seed, WORLDS[world]), settings, events_dir)
        name, sessions = f"simulated, {world}", sessions or SessionSettings()
        log = _log(name, items, events_dir, sessions)
        # Without their early events the test part begins later, so that others may be too early.
        while _left_out(events_dir, new, _begin_of_test(log.dataset)):
            log = _log(name, items, events_dir, sessions)
        return log


def new_items(items: pl.DataFrame, seed: int) -> pl.Series:
    """Draw the ids of the items that come to a simulated log with its test part only."""
    chosen = np.random.default_rng(seed).random(items.height) < NEW_SHARE
    return items.sort("item_id")["item_id"].filter(pl.Series(chosen))


def amazon(data: Path) -> Log:
    """Read the reviews in the folder of real data."""
    with tempfile.TemporaryDirectory() as folder:
        delivery = deliver(data, Path(folder))
        settings = load_settings(data_dir=Path(folder) / "data", **delivery.settings)
        items = _items({spec: settings.source(spec.name) for spec in (MOVIES, BOOKS)})
        events_dir = Path(folder) / "events"
        load_log(
            settings.events,
            items,
            settings.event_columns,
            {spec.item_type: spec.item_type + "_" for spec in (MOVIES, BOOKS)},
            events_dir,
            Path(folder) / "rejected.parquet",
            datetime.now(UTC),
        )
        # Where no title is known, the item's number stands for it, and says nothing.
        number = pl.col("item_id").str.split_exact("_", 1).struct.field("field_1")
        items = items.with_columns(
            title=pl.when(pl.col("title") == number).then(pl.lit("")).otherwise(pl.col("title"))
        )
        sessions = SessionSettings(gap_minutes=LONGEST_RECORD_MINUTES)
        return _log("amazon", items, events_dir, sessions)


def _items(sources: dict[DomainSpec, str]) -> pl.DataFrame:
    reader = SourceReader(sample_dir=load_settings().sample_dir)
    cleaned = [clean(reader.load(spec, source).frame, spec) for spec, source in sources.items()]
    return unify(cleaned, empty_ledger()).items


def _left_out(events_dir: Path, new: pl.Series, test_begins: datetime) -> int:
    """Delete the events of new items before the test part; return how many there were."""
    n_early = 0
    for file in events_dir.rglob("*.parquet"):
        events = pl.read_parquet(file, hive_partitioning=False)
        too_early = pl.col("item_id").is_in(new.implode()) & (pl.col("timestamp") < test_begins)
        kept = events.filter(~too_early)
        if kept.height < events.height:
            kept.write_parquet(file)
            n_early += events.height - kept.height
    return n_early


def _begin_of_test(dataset: SessionDataset) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(dataset.test.start_us.min()))


def _log(name: str, items: pl.DataFrame, events_dir: Path, settings: SessionSettings) -> Log:
    dataset, _ = build_session_dataset(events_dir, items, settings, SplitSettings())
    test_begins = int(dataset.test.start_us.min())
    events = pl.scan_parquet(events_dir / "**/*.parquet").select(EVENT_COLUMNS).collect()
    whole = pl.DataFrame(build_sessions(events.to_arrow(), settings.gap_minutes))
    later = (
        whole.filter(pl.col("start_us") >= test_begins)
        .with_columns(pl.col("item_id").cast(pl.String))
        .with_columns((pl.col("position") == 0).cum_sum().alias("session"))
        .group_by("session", maintain_order=True)
        .agg(pl.col("item_id").head(settings.max_length))
        .filter(pl.col("item_id").list.len() >= 2)
    )
    before = whole.filter(pl.col("time_us") < test_begins)["item_id"].cast(pl.String).unique()
    return Log(name, items, dataset, later["item_id"].to_list(), set(before.to_list()))
