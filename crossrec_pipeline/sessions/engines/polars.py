"""In: the event log by day. Out: the sessions of each day, made by polars."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import narwhals as nw
import polars as pl

from crossrec_pipeline.sessions.engines.day_files import (
    FILE_ORDER,
    DayCounts,
    Progress,
    events_pattern,
    gap_in_us,
    write_day,
)
from crossrec_pipeline.sessions.expression import sessions_of_log


def sessionise_days(
    events_dir: Path,
    days: Sequence[date],
    target_dir: Path,
    gap_minutes: float,
    progress: Progress,
) -> list[DayCounts]:
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

    Raises
    ------
    SessionsError
        If a day has no events.
    """
    counts = []
    for day in days:
        counts.append(_sessionise_day(events_dir, day, target_dir, gap_minutes))
        progress(f"{day}: {counts[-1].events_out:,} events in sessions")
    return counts


def _sessionise_day(events_dir: Path, day: date, target_dir: Path, gap_minutes: float) -> DayCounts:
    log = pl.scan_parquet(events_pattern(events_dir, day), hive_partitioning=False)
    without_id = pl.col("session_id").is_null() & pl.col("user_id").is_null()
    counted = log.select(pl.len().alias("all"), without_id.sum().alias("unattributed")).collect()
    events = log.select(
        "session_id",
        "user_id",
        "item_id",
        pl.col("timestamp").dt.epoch("us").alias("time_us"),
        "log_order",
    )
    sessions = sessions_of_log(nw.from_native(events), gap_in_us(gap_minutes))
    made = sessions.sort(*FILE_ORDER).to_native().collect(engine="streaming")
    table = made.to_arrow(compat_level=pl.CompatLevel.oldest())
    written = write_day(table.to_batches(), target_dir, day)
    return DayCounts(day, counted["all"].item(), written, counted["unattributed"].item())
