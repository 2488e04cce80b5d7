"""A log that grows in a directory, and what was read and published of it."""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from crossrec_pipeline.interactions.deliveries import (
    DaySummary,
    Reading,
    known_days,
    publish_day,
    read_deliveries,
    stale_days,
)
from crossrec_pipeline.settings import LogSettings

ITEMS = pl.DataFrame({"item_id": ["A", "B"]})
NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)
HEADER = "user_id,item_id,timestamp"
HOUR = 3600.0


class GrowingLog:
    """A folder to deliver to, and the output beside it."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "log"
        self.log.mkdir(parents=True)
        self.deliveries = directory / "deliveries"
        self.events = directory / "events"
        self.rejected = directory / "rejected"
        self.copies = directory / "copies"

    def deliver(self, name: str, *rows: str, header: str = HEADER, age: float = HOUR) -> Path:
        """Write a file whose last change lies some seconds before `NOW`."""
        path = self.log / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in [header, *rows]))
        self.age(path, age)
        return path

    def age(self, path: Path, seconds: float) -> None:
        changed = NOW.timestamp() - seconds
        os.utime(path, (changed, changed))

    def read(
        self,
        now: datetime = NOW,
        location: str | None = None,
        columns: dict[str, str] | None = None,
        prefixes: dict[str, str] | None = None,
    ) -> Reading:
        return read_deliveries(
            location or str(self.log),
            columns or {},
            prefixes or {},
            LogSettings(),
            self.deliveries,
            self.rejected,
            self.copies,
            now,
            lambda line: None,
        )

    def publish(self, day: str, items: pl.DataFrame = ITEMS, now: datetime = NOW) -> DaySummary:
        return publish_day(
            date.fromisoformat(day), items, self.deliveries, self.events, self.rejected, now
        )

    def publish_all(self) -> dict[str, DaySummary]:
        return {day: self.publish(day) for day in self.days()}

    def days(self) -> list[str]:
        return [day.isoformat() for day in known_days(self.deliveries)]

    def stale(
        self, days: Sequence[str], items: pl.DataFrame = ITEMS, now: datetime = NOW
    ) -> list[str]:
        asked = [date.fromisoformat(day) for day in days]
        stale = stale_days(asked, items, self.deliveries, self.events, now)
        return [day.isoformat() for day in stale]

    def accepted(self, day: str) -> pl.DataFrame:
        return pl.read_parquet(
            self.events / f"date={day}" / "part-0.parquet", hive_partitioning=False
        )

    def refused(self, day: str) -> pl.DataFrame:
        return pl.read_parquet(self.rejected / f"date={day}.parquet", hive_partitioning=False)

    def undated(self) -> pl.DataFrame:
        return pl.read_parquet(self.rejected / "undated.parquet")
