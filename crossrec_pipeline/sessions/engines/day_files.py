"""In: a day's sessions from an engine, in order. Out: the day's Parquet file and its counts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.schema import SESSION_EVENTS

Progress = Callable[[str], None]
"""Receives a line of text now and then."""

FILE_ORDER = ("start_us", "session_id", "user_id", "position")
"""What the rows of a day are ordered by, nulls first."""

_US_PER_MINUTE = 60_000_000

_SCHEMA = pl.DataFrame(schema=SESSION_EVENTS).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


@dataclass(frozen=True)
class DayCounts:
    """What became of the events of a day; equal whichever engine counted.

    Attributes
    ----------
    day
        UTC.
    events_in
        Events of the log.
    events_out
        Events in sessions, which are the rows of the file.
    unattributed
        Events left out because they have neither a session id nor a user id.
    """

    day: date
    events_in: int
    events_out: int
    unattributed: int


def gap_in_us(gap_minutes: float) -> int:
    """Return a gap in the unit of the log's times."""
    return round(gap_minutes * _US_PER_MINUTE)


def events_pattern(events_dir: Path, day: date) -> str:
    """Return the glob of a day's events.

    Raises
    ------
    SessionsError
        If there are none.
    """
    folder = events_dir / f"date={day.isoformat()}"
    if not any(folder.glob("part-*.parquet")):
        raise SessionsError(
            f"{folder} holds no events (part-*.parquet). Build interactions/events of that day "
            "first."
        )
    return str(folder / "part-*.parquet")


def write_day(batches: Iterable[pa.RecordBatch], target_dir: Path, day: date) -> int:
    """Write ``date=YYYY-MM-DD.parquet`` into `target_dir`, whole or not at all; return its rows.

    Parameters
    ----------
    batches
        The columns of `SESSION_EVENTS`, in the order of `FILE_ORDER`.
    target_dir
        Holds a file for each day; one that is there is replaced.
    day
        Whose sessions these are.
    """
    n_rows = 0
    with (
        atomic_file(target_dir / f"date={day.isoformat()}.parquet") as partial,
        pq.ParquetWriter(partial, _SCHEMA, compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).select(_SCHEMA.names).cast(_SCHEMA))
            n_rows += batch.num_rows
    return n_rows
