"""In: the event log by day. Out: the sessions of each day, made by DuckDB."""

import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import narwhals as nw
import pyarrow as pa

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

_BATCH_ROWS = 1 << 18

_EVENTS = ("session_id", "user_id", "item_id", "epoch_us(timestamp) as time_us", "log_order")


def sessionise_days(
    events_dir: Path,
    days: Sequence[date],
    target_dir: Path,
    gap_minutes: float,
    memory_limit: str,
    progress: Progress,
    *,
    event_types: bool = False,
) -> list[DaySessions]:
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
    event_types
        Whether the type of each event is kept.

    Raises
    ------
    SessionsError
        If a day has no events, a file cannot be read, or two users have a session of the same id.
    """
    made = []
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
            made.append(
                _sessionise_day(connection, events_dir, day, target_dir, gap_minutes, event_types)
            )
            progress(f"{day}: {made[-1].n_sessions:,} sessions of {made[-1].n_events:,} events")
    return made


def _sessionise_day(
    connection: duckdb.DuckDBPyConnection,
    events_dir: Path,
    day: date,
    target_dir: Path,
    gap_minutes: float,
    event_types: bool,
) -> DaySessions:
    carried = [EVENT_TYPE] if event_types else []
    of_day = find_events(events_dir, day)
    log = connection.read_parquet(str(of_day.folder / PARTS), hive_partitioning=False)
    events = nw.from_native(log.project(", ".join([*_EVENTS, *carried])))
    refuse_shared_sessions(events)
    sessions: duckdb.DuckDBPyRelation = in_file_order(
        sessions_of_log(events, gap_in_us(gap_minutes), carried)
    ).to_native()
    batches = sessions.to_arrow_reader(_BATCH_ROWS)
    return write_day(
        day_path(target_dir, day),
        (pa.Table.from_batches([batch]) for batch in batches),
        events_digest=of_day.digest,
        gap_minutes=gap_minutes,
        n_events=of_day.n_events,
        event_types=event_types,
    )
