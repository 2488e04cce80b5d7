"""In: frames of accepted events. Out: a log on disk, Parquet by day, and its summary."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.digests import text_digest
from crossrec_pipeline.interactions.schema import EVENTS

Progress = Callable[[str], None]
"""Receives a line of text now and then."""

ROWS_AT_A_TIME = 1 << 20
"""Rows of a row group, about 100 MB in memory."""

_HASH_SEED = 20_230_302
_STRING_COLUMNS = ("user_id", "session_id", "item_id", "event_type")


@dataclass(frozen=True)
class LogSummary:
    """What became of a log.

    Attributes
    ----------
    n_in
        Events delivered; equals `n_accepted` and all of `n_rejected` together.
    n_accepted
        Events written.
    n_rejected
        Events refused, by reason; reasons that did not occur are left out.
    first, last
        Time of the first and the last accepted event, UTC.
    data_digest
        Content version of the accepted events: times, ids and their order in the log.
    """

    n_in: int
    n_accepted: int
    first: datetime
    last: datetime
    data_digest: str
    n_rejected: dict[str, int] = field(default_factory=dict)


class EventsDigest:
    """The content version of events, gathered frame by frame.

    Row hashes are added up and exclusive-ored, which needs neither a second reading nor more memory
    than a frame. Each row carries its `log_order`, so another order of the log gives another
    digest.
    """

    def __init__(self) -> None:
        self._n_rows = 0
        self._hash_sum = 0
        self._hash_xor = 0

    def add(self, events: pl.DataFrame) -> None:
        """Take in a frame with the columns and types of `EVENTS`."""
        hashes = events.hash_rows(seed=_HASH_SEED).to_numpy()
        self._n_rows += events.height
        self._hash_sum = (self._hash_sum + int(hashes.sum(dtype=np.uint64))) % 2**64
        self._hash_xor ^= int(np.bitwise_xor.reduce(hashes))

    def value(self) -> str:
        """Return the digest of all frames so far."""
        return text_digest(
            ",".join(f"{name}:{dtype}" for name, dtype in EVENTS.items()),
            str(self._n_rows),
            str(self._hash_sum),
            str(self._hash_xor),
        )


class DayPartitionWriter:
    """Writes events to ``<directory>/date=YYYY-MM-DD/part-0.parquet``.

    Frames are held back until they make a row group of `ROWS_AT_A_TIME` (or memory calls for it):
    each has dictionaries of its own, and readers pay for every one. Within a row group events are
    ordered by time and `log_order`, so most days are as a whole.

    Parameters
    ----------
    directory
        An existing, empty directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writers: dict[date, pq.ParquetWriter] = {}
        self._held: dict[date, list[pl.DataFrame]] = {}
        self._n_held = 0
        self._n_rows = 0
        self._digest = EventsDigest()
        self._first: datetime | None = None
        self._last: datetime | None = None

    def __enter__(self) -> "DayPartitionWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        for day in list(self._held):
            self._write_held(day)
        for day in list(self._writers):
            self._writers.pop(day).close()

    @property
    def n_rows(self) -> int:
        """Events written so far."""
        return self._n_rows

    def write(self, events: pl.DataFrame) -> None:
        """Append events (columns of `EVENTS`) to the files of their days, in the given order."""
        if events.is_empty():
            return
        events = events.select(pl.col(name).cast(dtype) for name, dtype in EVENTS.items())
        self._note(events)
        days = events.with_columns(pl.col("timestamp").dt.date().alias("date"))
        for (day,), part in days.group_by("date", maintain_order=True):
            assert isinstance(day, date)
            self._hold(day, part.drop("date"))

    def close_before(self, day: date) -> None:
        """Finish the files of all earlier days; nothing more may be written to them."""
        for earlier in [held_day for held_day in self._held if held_day < day]:
            self._write_held(earlier)
        for earlier in [open_day for open_day in self._writers if open_day < day]:
            self._writers.pop(earlier).close()

    def summary(self, n_rejected: dict[str, int] | None = None) -> LogSummary:
        """Summarise what was written; raises ValueError if nothing was."""
        if self._first is None or self._last is None:
            raise ValueError("no events were written")
        rejected = dict(n_rejected or {})
        return LogSummary(
            n_in=self._n_rows + sum(rejected.values()),
            n_accepted=self._n_rows,
            first=self._first,
            last=self._last,
            data_digest=self._digest.value(),
            n_rejected=rejected,
        )

    def _hold(self, day: date, events: pl.DataFrame) -> None:
        held = self._held.setdefault(day, [])
        held.append(events)
        self._n_held += events.height
        if sum(frame.height for frame in held) >= ROWS_AT_A_TIME:
            self._write_held(day)
        while self._n_held >= 2 * ROWS_AT_A_TIME:
            self._write_held(next(iter(self._held)))

    def _write_held(self, day: date) -> None:
        events = pl.concat(self._held.pop(day)).sort("timestamp", "log_order", maintain_order=True)
        self._n_held -= events.height
        self._writer(day).write_table(arrow_events(events), row_group_size=events.height)

    def _note(self, events: pl.DataFrame) -> None:
        self._digest.add(events)
        self._n_rows += events.height
        first, last = events["timestamp"].min(), events["timestamp"].max()
        assert isinstance(first, datetime)
        assert isinstance(last, datetime)
        self._first = first if self._first is None else min(self._first, first)
        self._last = last if self._last is None else max(self._last, last)

    def _writer(self, day: date) -> pq.ParquetWriter:
        if day not in self._writers:
            folder = self._directory / f"date={day.isoformat()}"
            folder.mkdir()
            self._writers[day] = pq.ParquetWriter(
                folder / "part-0.parquet", EVENTS_ARROW, compression="zstd"
            )
        return self._writers[day]


def _arrow_schema() -> pa.Schema:
    types = {"timestamp": pa.timestamp("us", tz="UTC"), "log_order": pa.int64()}
    types |= {name: pa.large_string() for name in _STRING_COLUMNS}
    return pa.schema([(name, types[name]) for name in EVENTS])


EVENTS_ARROW = _arrow_schema()
"""The types of `EVENTS` on disk."""


def arrow_events(events: pl.DataFrame) -> pa.Table:
    """Return a frame with the columns of `EVENTS` as it is written."""
    return events.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(EVENTS_ARROW)
