"""In: the event log by day. Out: the sessions of each day, made by DuckDB."""

import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import narwhals as nw

from crossrec_pipeline.sessions.engines.day_files import (
    FILE_ORDER,
    DayCounts,
    Progress,
    events_pattern,
    gap_in_us,
    write_day,
)
from crossrec_pipeline.sessions.expression import sessions_of_log

_BATCH_ROWS = 1 << 18

_EVENTS = "session_id, user_id, item_id, epoch_us(timestamp) as time_us, log_order"


def sessionise_days(
    events_dir: Path,
    days: Sequence[date],
    target_dir: Path,
    gap_minutes: float,
    memory_limit: str,
    progress: Progress,
) -> list[DayCounts]:
    """Write the sessions of days, one day after the other; what memory cannot hold is spilled.

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
    memory_limit
        How much DuckDB holds in memory, such as ``"500MB"``.
    progress
        Receives a line after each day.

    Raises
    ------
    SessionsError
        If a day has no events.
    """
    target_dir.mkdir(parents=True, exist_ok=True)
    counts = []
    with (
        tempfile.TemporaryDirectory(prefix="crossrec-spill-") as spill,
        duckdb.connect() as connection,
    ):
        connection.execute("set memory_limit = $limit", {"limit": memory_limit})
        connection.execute("set temp_directory = $spill", {"spill": spill})
        connection.execute("set enable_progress_bar = false")
        # What must be in order says so itself.
        connection.execute("set preserve_insertion_order = false")
        for day in days:
            counts.append(_sessionise_day(connection, events_dir, day, target_dir, gap_minutes))
            progress(f"{day}: {counts[-1].events_out:,} events in sessions")
    return counts


def _sessionise_day(
    connection: duckdb.DuckDBPyConnection,
    events_dir: Path,
    day: date,
    target_dir: Path,
    gap_minutes: float,
) -> DayCounts:
    log = connection.read_parquet(events_pattern(events_dir, day), hive_partitioning=False)
    counted = log.aggregate("count(*), count(*) filter (session_id is null and user_id is null)")
    ((events_in, unattributed),) = counted.fetchall()
    sessions = sessions_of_log(nw.from_native(log.project(_EVENTS)), gap_in_us(gap_minutes))
    relation: duckdb.DuckDBPyRelation = sessions.sort(*FILE_ORDER).to_native()
    written = write_day(relation.to_arrow_reader(_BATCH_ROWS), target_dir, day)
    return DayCounts(day, events_in, written, unattributed)
