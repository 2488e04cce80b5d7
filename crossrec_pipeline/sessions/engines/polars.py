"""In: the event log by day. Out: the sessions of each day, made by polars."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import narwhals as nw
import polars as pl

from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.sessions.day_files import DaySessions, day_path, write_day
from crossrec_pipeline.sessions.engines.day_events import (
    PARTS,
    find_events,
    gap_in_us,
    refuse_shared_sessions,
)
from crossrec_pipeline.sessions.expression import in_file_order, sessions_of_log
from crossrec_pipeline.sessions.schema import EVENT_TYPE


def sessionise_days(
    events_dir: Path,
    days: Sequence[date],
    target_dir: Path,
    gap_minutes: float,
    progress: Progress,
    *,
    event_types: bool = False,
) -> list[DaySessions]:
    """Write the sessions of days, one day after the other, each of which must fit into memory.

    Parameters
    ----------
    events_dir
        Holds ``date=YYYY-MM-DD/part-*.parquet`` with the columns of `interactions.schema.EVENTS`.
    days
        Which of them, UTC.
    target_dir
        Gets a file for each day, see `sessions.schema.SESSION_EVENTS`. It is finished before the
        next day is begun.
    gap_minutes
        Longest silence inside a session, minutes.
    progress
        Receives a line after each day.
    event_types
        Whether the type of each event is kept.

    Raises
    ------
    SessionsError
        If a day has no events, a file cannot be read, or two users have a session of the same id.
    """
    made = []
    for day in days:
        made.append(_sessionise_day(events_dir, day, target_dir, gap_minutes, event_types))
        progress(f"{day}: {made[-1].n_sessions:,} sessions of {made[-1].n_events:,} events")
    return made


def _sessionise_day(
    events_dir: Path, day: date, target_dir: Path, gap_minutes: float, event_types: bool
) -> DaySessions:
    carried = [EVENT_TYPE] if event_types else []
    of_day = find_events(events_dir, day)
    log = pl.scan_parquet(str(of_day.folder / PARTS), hive_partitioning=False)
    time_us = pl.col("timestamp").dt.epoch("us").alias("time_us")
    events = nw.from_native(
        log.select("session_id", "user_id", "item_id", time_us, "log_order", *carried)
    )
    refuse_shared_sessions(events)
    sessions: pl.LazyFrame = in_file_order(
        sessions_of_log(events, gap_in_us(gap_minutes), carried)
    ).to_native()
    made = sessions.collect(engine="streaming")
    return write_day(
        day_path(target_dir, day),
        [made.to_arrow(compat_level=pl.CompatLevel.oldest())],
        events_digest=of_day.digest,
        gap_minutes=gap_minutes,
        n_events=of_day.n_events,
        event_types=event_types,
    )
