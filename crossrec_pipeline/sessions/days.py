"""In: events by day. Out: sessions by day (`schema.SESSION_EVENTS`), each day on its own.

A day's sessions are a function of that day's events alone, since they are cut at midnight: days
can be built in any order and by several processes, and a late event reopens one day only. What
crosses midnight is joined when the days are read in order (`stitch`).
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.digests import files_digest
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.sessions.build import EVENT_COLUMNS, ID_COLUMNS, build_sessions
from crossrec_pipeline.sessions.build_spilling import build_sessions_spilling
from crossrec_pipeline.sessions.day_files import (
    DaySessions,
    day_path,
    list_days,
    read_about,
    write_day,
)
from crossrec_pipeline.sessions.memory_limit import memory_limit_bytes
from crossrec_pipeline.sessions.schema import EVENT_TYPE

_BYTES_AN_EVENT = 160
"""Memory that a day takes at most, most of it while rows are laid out anew."""


@dataclass(frozen=True)
class DaysBuilt:
    """What `bring_up_to_date` did.

    Attributes
    ----------
    days
        All days that have sessions now, in order.
    built
        Those of them that were new or whose events, or the gap, had changed.
    removed
        Days that are no longer in the log.
    """

    days: tuple[date, ...]
    built: tuple[date, ...]
    removed: tuple[date, ...]


def sessionise_day(
    events: Path,
    target: Path,
    gap_minutes: float,
    *,
    memory_limit: str | None = None,
    event_types: bool = False,
) -> DaySessions:
    """Group a day's events into sessions; see `build.build_sessions` for the rules.

    Parameters
    ----------
    events
        Holds the day's ``part-*.parquet`` with the columns of `interactions.schema.EVENTS`;
        without any, the day has no sessions.
    target
        The file to write, whole or not at all.
    gap_minutes
        Longest silence inside a session, minutes.
    memory_limit
        Where the day would take more, such as ``"2GB"``, DuckDB builds it and spills to disk;
        without one, half of this machine's memory.
    event_types
        Whether the type of each event is kept.

    Raises
    ------
    SessionsError
        If a file cannot be read, or two users have a session of the same id.
    """
    parts = _parts(events)
    n_events = sum(_n_rows(path) for path in parts)
    n_bytes = memory_limit_bytes(memory_limit)
    if n_events * _BYTES_AN_EVENT <= n_bytes:
        rows = _build_in_memory(parts, gap_minutes, event_types)
    else:
        rows = build_sessions_spilling(
            parts, gap_minutes, n_bytes, target.parent, event_types=event_types
        )
    return write_day(
        target,
        rows,
        events_digest=files_digest(parts),
        gap_minutes=gap_minutes,
        n_events=n_events,
        event_types=event_types,
    )


def bring_up_to_date(
    events_dir: Path,
    by_day_dir: Path,
    gap_minutes: float,
    progress: Progress | None = None,
    *,
    memory_limit: str | None = None,
    event_types: bool = False,
) -> DaysBuilt:
    """Build the days whose events, or whose gap, changed; remove the days that are gone.

    Days are built side by side, one a core, as far as the memory limit holds them. What is done
    stays done: broken off and called again, it goes on where it was.

    Parameters
    ----------
    events_dir
        Holds ``date=*/part-*.parquet`` with the columns of `interactions.schema.EVENTS`.
    by_day_dir
        Holds ``date=YYYY-MM-DD.parquet`` a day.
    gap_minutes
        Longest silence inside a session, minutes.
    progress
        Told about each day that is built.
    memory_limit
        About what is held in memory, such as ``"2GB"``; see `sessionise_day`.
    event_types
        Whether the type of each event is kept; days that were built otherwise are built again.

    Raises
    ------
    SessionsError
        If there are no events, a file cannot be read, or two users have a session of the same id.
    """
    events_of = {_day(path): path for path in events_dir.glob("date=*") if _parts(path)}
    if not events_of:
        raise SessionsError(
            f"{events_dir} holds no events (date=*/part-*.parquet). Build interactions/events "
            "first, or point CROSSREC_EVENTS at a log."
        )
    removed = [day for day in list_days(by_day_dir) if day not in events_of]
    for day in removed:
        day_path(by_day_dir, day).unlink(missing_ok=True)
    days = sorted(events_of)

    def build_if_changed(day: date) -> DaySessions | None:
        events, target = events_of[day], day_path(by_day_dir, day)
        if _is_up_to_date(target, events, gap_minutes, event_types):
            return None
        return sessionise_day(
            events, target, gap_minutes, memory_limit=memory_limit, event_types=event_types
        )

    built = []
    with ThreadPoolExecutor(_n_side_by_side(events_of.values(), memory_limit)) as pool:
        for day, done in zip(days, pool.map(build_if_changed, days), strict=True):
            if done is not None:
                built.append(day)
                if progress is not None:
                    progress(f"{day}: {done.n_sessions:,} sessions of {done.n_events:,} events")
    return DaysBuilt(tuple(days), tuple(built), tuple(removed))


def _is_up_to_date(target: Path, events: Path, gap_minutes: float, event_types: bool) -> bool:
    about = read_about(target)
    return about is not None and about.is_of(files_digest(_parts(events)), gap_minutes, event_types)


def _n_side_by_side(days: Iterable[Path], memory_limit: str | None) -> int:
    """Return how many days to build at a time: one a core, if memory holds the largest as often."""
    largest = max(sum(_n_rows(part) for part in _parts(events)) for events in days)
    n_fit = memory_limit_bytes(memory_limit) // max(largest * _BYTES_AN_EVENT, 1)
    return max(1, min(n_fit, os.cpu_count() or 1))


def _parts(events: Path) -> list[Path]:
    return sorted(events.glob("part-*.parquet"))


def _day(events: Path) -> date:
    try:
        return date.fromisoformat(events.name.removeprefix("date="))
    except ValueError:
        raise SessionsError(
            f"{events} is no day of a log. Expected a directory such as date=2023-01-31; build "
            "interactions/events again."
        ) from None


def _build_in_memory(
    parts: list[Path], gap_minutes: float, event_types: bool
) -> Iterator[pa.Table]:
    tables = [_read(path, [EVENT_TYPE] if event_types else []) for path in parts]
    if tables:
        yield build_sessions(pa.concat_tables(tables), gap_minutes, event_types=event_types)


def _read(path: Path, more: list[str]) -> pa.Table:
    try:
        with pq.ParquetFile(path, read_dictionary=[*ID_COLUMNS, *more]) as file:
            return file.read(columns=[*EVENT_COLUMNS, *more], use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _n_rows(path: Path) -> int:
    try:
        return pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SessionsError:
    reason = " ".join(str(error).split())
    return SessionsError(
        f"{path} is missing or not whole ({reason}). Build interactions/events again."
    )
