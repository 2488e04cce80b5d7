"""From a day's event files to its sessions where the day is larger than memory.

DuckDB groups and sorts within a memory limit and spills the rest to disk. It takes several times
as long as `build`, and gives the same rows.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from crossrec_pipeline.atomic import scratch_directory
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.build import MICROSECONDS_PER_MINUTE, shared_session
from crossrec_pipeline.sessions.day_files import ROWS_AT_A_TIME
from crossrec_pipeline.sessions.schema import EVENT_TYPE, SESSION_EVENTS

_CLASH = """
select session_id, min(user_id), max(user_id)
from events where session_id is not null group by session_id
having min(user_id) <> max(user_id) order by session_id limit 1
"""

# A stream is never mixed: one session of the log, or a user's events without session id.
_SESSIONS = """
with owned as (
    select
        session_id,
        case when session_id is null then user_id
             else max(user_id) over (partition by session_id) end as user_id,
        item_id,
        epoch_us(timestamp) as time_us,
        {columns}
    from events
    where session_id is not null or user_id is not null
),
stepped as (
    select
        *,
        session_id is null and time_us - lag(time_us) over in_order > $gap_us as breaks
    from owned
    window in_order as (
        partition by session_id, user_id order by time_us, log_order, item_id
    )
),
numbered as (
    select
        *,
        count(*) filter (where breaks) over (
            partition by session_id, user_id order by time_us, log_order, item_id
            rows between unbounded preceding and current row
        ) as session
    from stepped
),
placed as (
    select
        *,
        min(time_us) over (partition by session_id, user_id, session) as start_us,
        (row_number() over (
            partition by session_id, user_id, session order by time_us, log_order, item_id
        ) - 1)::integer as position
    from numbered
)
"""
_LEAST_BYTES = 64_000_000
"""DuckDB needs some memory to spill the rest."""

_ORDER = "order by start_us, session_id nulls first, user_id nulls first, position"


def build_sessions_spilling(
    parts: list[Path],
    gap_minutes: float,
    memory_limit_bytes: int,
    spill_parent: Path,
    *,
    event_types: bool = False,
) -> Iterator[pa.Table]:
    """Yield a day's sessions, some rows at a time; see `build.build_sessions` for the rules.

    Parameters
    ----------
    parts
        Parquet files with the columns of `interactions.schema.EVENTS`.
    gap_minutes
        Longest silence inside a session, minutes.
    memory_limit_bytes
        About what is held in memory, but no less than 64 MB: half of it by DuckDB, the rest is for
        the rows that are read and written meanwhile.
    spill_parent
        Holds the directory of what is spilt, while it is needed.
    event_types
        Whether the column `event_type` is read too, and comes last.

    Raises
    ------
    SessionsError
        If two users have a session of the same id, or the memory is too little even so.
    """
    n_bytes = max(memory_limit_bytes // 2, _LEAST_BYTES)
    with (
        scratch_directory(spill_parent, "spill") as spill,
        duckdb.connect() as connection,
    ):
        connection.execute(f"set memory_limit = '{n_bytes} B'")
        connection.execute(f"set temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set TimeZone = 'UTC'")
        connection.read_parquet([str(path) for path in parts], hive_partitioning=False).create_view(
            "events"
        )
        try:
            yield from _build(connection, gap_minutes, event_types)
        except duckdb.OutOfMemoryException as error:
            raise SessionsError(
                f"A day of {len(parts)} file(s) such as {parts[0]} cannot be built in "
                f"{n_bytes / 1e6:,.0f} MB ({str(error).splitlines()[0]}). Raise "
                "CROSSREC_SESSIONS__MEMORY_LIMIT."
            ) from error


def _build(
    connection: duckdb.DuckDBPyConnection, gap_minutes: float, event_types: bool
) -> Iterator[pa.Table]:
    clash = connection.execute(_CLASH).fetchall()
    if clash:
        raise shared_session(*clash[0])
    more = [EVENT_TYPE] if event_types else []
    sessions = _SESSIONS.format(columns=", ".join(["log_order", *more]))
    rows = connection.sql(
        f"{sessions} select {', '.join([*SESSION_EVENTS, *more])} from placed {_ORDER}",
        params={"gap_us": round(gap_minutes * MICROSECONDS_PER_MINUTE)},
    )
    for batch in rows.to_arrow_reader(ROWS_AT_A_TIME):
        yield pa.table(batch)
