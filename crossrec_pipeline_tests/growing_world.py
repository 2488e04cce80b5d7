"""A log that grows in a directory, a few items, and what the pipeline makes of them by day."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl

from crossrec_pipeline.catalogue.schema import ITEMS
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.day_sensor import day_sensor
from crossrec_pipeline.defs.deliveries import DELIVERIES_KEY
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings, load_settings

FIRST = date(2024, 3, 1)
ITEM_IDS = tuple(f"Movie_{letter}" for letter in "ABCDEFGH")
_MAX_TICKS = 12

Event = tuple[str, str, datetime]
"""User, item and time."""


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def day(n: int) -> date:
    """Return the n-th day of the log, from 1."""
    return FIRST + timedelta(days=n - 1)


def events_of(of: date, n_users: int = 6) -> list[Event]:
    """Make the events of a day: each user looks at three items within minutes.

    The first user does so around the midnight that follows, with one event on the next day.
    """
    events = []
    for user in range(n_users):
        start = at(of, 23, 50) if user == 0 else at(of, 8 + user % 12)
        for step in range(3):
            item = ITEM_IDS[(user + step + of.day) % len(ITEM_IDS)]
            events.append((f"u{user}", item, start + timedelta(minutes=8 * step)))
    return events


def write_log(path: Path, events: Iterable[Event]) -> None:
    """Write a delivery as it looks some time after its writer is done."""
    rows = [f"{user},{item},{time.isoformat()}" for user, item, time in events]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    settle_file(path)


def settle_file(path: Path) -> None:
    """Have a file look as if its writer had been done for a minute."""
    a_minute_ago = time.time() - 60
    os.utime(path, (a_minute_ago, a_minute_ago))


def growing_settings(folder: Path, **settings: object) -> Settings:
    """Return settings for a log of a few events a day."""
    return load_settings(
        **{
            "data_dir": folder / "data",
            "events": f"{folder / 'log'}/",
            "sessions": {"min_support": 1},
            "split": {"validation_share": 0.25, "test_share": 0.25},
            **settings,
        }
    )


class GrowingWorld:
    """The log, its data directory, and what Dagster remembers of it; no daemon.

    Parameters
    ----------
    folder
        Holds all of it; of a world that was there before, what is left of it.
    instance
        Dagster's memory; by default one in the folder.
    settings
        Those that are not as in `growing_settings`.
    """

    said: str | None = None
    """Why the sensor asked for nothing when it last did not."""

    def __init__(
        self, folder: Path, *, instance: dg.DagsterInstance | None = None, **settings: object
    ) -> None:
        self.log = folder / "log"
        self.log.mkdir(exist_ok=True)
        self.settings = growing_settings(folder, **settings)
        home = folder / "home"
        home.mkdir(exist_ok=True)
        self.instance = instance or dg.DagsterInstance.local_temp(str(home))
        self.failures: list[str] = []
        """Why each failed step of the last `settle` failed."""
        self.requested: list[list[str]] = []
        """What each tick of the last `settle` asked for: a range of days, or an asset."""
        self._cursor: str | None = None
        self.offer(ITEM_IDS)

    def offer(self, item_ids: Iterable[str]) -> None:
        """Publish a catalogue of these items."""
        frame = pl.DataFrame({"item_id": item_ids}).with_columns(
            item_type=pl.lit("Movie"), title="item_id"
        )
        missing = {name: dtype for name, dtype in ITEMS.items() if name not in frame.columns}
        frame = frame.with_columns(pl.lit(None, dtype).alias(n) for n, dtype in missing.items())
        warehouse = Warehouse(path=str(self.settings.warehouse_path))
        warehouse.replace_tables({"catalogue.items": frame.select(*ITEMS)})
        version = {"dagster/data_version": ",".join(frame["item_id"])}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(ITEMS_KEY, tags=version))

    def deliver(self, name: str, events: Iterable[Event]) -> None:
        """Put a file into the log."""
        write_log(self.log / name, events)

    def settle(self) -> set[str]:
        """Read what was delivered, then build what the sensor asks for until it rests.

        Returns
        -------
        set of str
            What was materialised: assets, with the day where they have days.
        """
        self.requested, self.failures = [], []
        ran = self.run([DELIVERIES_KEY]) - {"interactions/deliveries"}
        for _ in range(_MAX_TICKS):
            wanted = self.tick()
            if not wanted:
                return ran
            self.requested.append([_in_words(request) for request in wanted])
            for request in wanted:
                ran |= self.run(request.asset_selection or [], request.tags)
        raise AssertionError(f"still asking after {_MAX_TICKS} ticks: {self.requested}")

    def tick(self, defs: dg.Definitions | None = None) -> list[dg.RunRequest]:
        """Have the sensor look, with the definitions as loaded now; list what it asks for."""
        sensor = day_sensor(self.settings)
        context = dg.build_sensor_context(
            self.instance,
            cursor=self._cursor,
            repository_def=(defs or build_definitions(self.settings)).get_repository_def(),
        )
        result = sensor.evaluate_tick(context)
        self._cursor = result.cursor
        self.said = result.skip_message
        return list(result.run_requests or [])

    def run(self, keys: Sequence[dg.AssetKey], tags: Mapping[str, str] | None = None) -> set[str]:
        """Build assets in one run; say what was materialised."""
        job = build_definitions(self.settings).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            asset_selection=keys, instance=self.instance, tags=tags, raise_on_error=False
        )
        self.failures += [
            _first_cause(event.step_failure_data.error)
            for event in result.all_events
            if event.event_type == dg.DagsterEventType.STEP_FAILURE
        ]
        return {
            " ".join(filter(None, [event.asset_key.to_user_string(), event.partition]))
            for event in result.get_asset_materialization_events()
            if event.asset_key
        }

    def event_files(self) -> dict[date, Path]:
        """List the files of the published events by day."""
        return {
            date.fromisoformat(path.parent.name.removeprefix("date=")): path
            for path in sorted(self.settings.events_dir.glob("date=*/part-0.parquet"))
        }

    def events(self) -> dict[date, pl.DataFrame]:
        """Read the published events by day."""
        files = self.event_files()
        return {of: pl.read_parquet(path, hive_partitioning=False) for of, path in files.items()}

    def days_made(self) -> dict[str, int]:
        """Say when the sessions of each day were written."""
        files = sorted(self.settings.sessions_by_day_dir.glob("*.parquet"))
        return {path.name: path.stat().st_mtime_ns for path in files}

    def sessions(self) -> SessionDataset:
        """Open the session data set."""
        return SessionDataset.open(self.settings.sessions_dir)


def _in_words(request: dg.RunRequest) -> str:
    if partitions := request.partition_key_range:
        return f"{partitions.start} to {partitions.end}"
    return " ".join(key.to_user_string() for key in request.asset_selection or [])


def _first_cause(error: object) -> str:
    while (cause := getattr(error, "cause", None)) is not None:
        error = cause
    return str(getattr(error, "message", error)).strip()
