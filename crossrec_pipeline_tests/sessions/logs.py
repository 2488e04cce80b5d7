"""Small event logs for tests, written as the interactions layer writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from crossrec_pipeline.interactions.schema import EVENTS

DAY_ONE = datetime(2023, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = 1 / 60_000_000
"""In minutes."""


@dataclass(frozen=True)
class Event:
    """One event, `minute` minutes after the first day's midnight."""

    user_id: str | None
    item_id: str
    minute: float
    session_id: str | None = None
    event_type: str | None = "clicked"

    @property
    def timestamp(self) -> datetime:
        return DAY_ONE + timedelta(minutes=self.minute)


def write_log(directory: Path, events: Sequence[Event]) -> Path:
    """Write events by day; `log_order` is their order here, the rows in the files are reversed.

    Called again with further events at the end, it writes what the log is then.
    """
    frame = pl.DataFrame(
        {
            "user_id": [event.user_id for event in events],
            "session_id": [event.session_id for event in events],
            "item_id": [event.item_id for event in events],
            "event_type": [event.event_type for event in events],
            "timestamp": [event.timestamp for event in events],
            "log_order": range(len(events)),
        },
        schema=EVENTS,
    ).reverse()
    directory.mkdir(parents=True, exist_ok=True)
    for (day,), of_day in frame.group_by(pl.col("timestamp").dt.date()):
        part = directory / f"date={day}"
        part.mkdir(exist_ok=True)
        of_day.write_parquet(part / "part-0.parquet")
    return directory
