"""From the Parquet event log to sessions: events in order, each with its session's number."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from crossrec_pipeline.errors import SessionsError

_MICROSECONDS_PER_MINUTE = 60_000_000

_ITEMS = """
create temp table items as
select item_id, (row_number() over (order by item_id) - 1)::integer as code
from (select distinct item_id from events)
"""

# Someone who logs in half-way through a session of the log leaves it with and without a user id.
_OWNERS = """
create temp table owners as
select session_id, min(user_id) as owner
from events
where session_id is not null
group by session_id
having count(user_id) > 0 and count(*) > count(user_id)
"""

# A stream is what is never mixed: one session of the log, or a user's events without session id.
_STREAMS = """
create temp table streams as
select
    (row_number() over (order by session_id, user_id) - 1)::integer as stream,
    session_id,
    user_id
from (
    select distinct events.session_id, coalesce(events.user_id, owners.owner) as user_id
    from events left join owners using (session_id)
    where events.session_id is not null or events.user_id is not null
)
"""

# Integers from here on: ids are long, and windows over them cost most of the time.
_MARKED = """
create temp table marked as
with coded as (
    select
        streams.stream,
        items.code,
        epoch_us(events.timestamp) as time_us,
        events.log_order,
        events.session_id is null as by_gap
    from events
    left join owners using (session_id)
    join items using (item_id)
    join streams
        on streams.session_id is not distinct from events.session_id
        and streams.user_id is not distinct from coalesce(events.user_id, owners.owner)
),
stepped as (
    select
        *,
        lag(time_us) over in_order as previous_us,
        lag(code) over in_order as previous_code
    from coded
    window in_order as (partition by stream order by time_us, log_order, code)
),
begun as (
    select *, coalesce(by_gap and time_us - previous_us > $gap_us, false) as begins
    from stepped
)
select
    stream,
    code,
    time_us,
    log_order,
    (count(*) filter (where begins) over (
        partition by stream order by time_us, log_order, code
        rows between unbounded preceding and current row
    ))::integer as chunk,
    $collapse and not begins and coalesce(code = previous_code, false) as repeats
from begun
"""

_SESSIONS = """
create temp table sessions as
with bounds as (
    select stream, chunk, min(time_us) as start_us, max(time_us) as end_us
    from marked where not repeats group by stream, chunk
),
named as (
    select
        bounds.*,
        coalesce(
            session_id,
            user_id || '/' || strftime(make_timestamp(start_us), '%Y-%m-%dT%H:%M:%S.%fZ')
        ) as session_id,
        user_id
    from bounds join streams using (stream)
)
select
    (row_number() over (order by start_us, session_id, user_id nulls first, stream) - 1)::integer
        as session,
    *
from named
"""

_READ_SESSIONS = "select session_id, user_id, start_us, end_us from sessions order by session"

_READ_EVENTS = """
select session, code, time_us
from marked join sessions using (stream, chunk)
where not repeats
order by session, time_us, log_order, code
"""


@dataclass(frozen=True)
class SessionisedEvents:
    """All sessions of a log in long form.

    Attributes
    ----------
    events
        One row an event, ordered by session and position: `session` (row number in `sessions`,
        Int32), `position` (from 0, Int32), `item_id` (Enum whose categories are sorted),
        `timestamp` (UTC, µs).
    sessions
        One row a session, ordered by start, then session id: `session_id`, `user_id` (null where
        anonymous), `start` and `end` (times of the first and last event).
    events_in
        Events read from the log.
    unattributed
        Events left out because they have neither a session id nor a user id.
    repeats
        Events left out because they repeat the item just before them in their session.
    """

    events: pl.DataFrame
    sessions: pl.DataFrame
    events_in: int
    unattributed: int
    repeats: int


def sessionise(
    events_dir: Path,
    *,
    gap_minutes: float,
    collapse_repeats: bool,
    memory_limit: str = "2GB",
    spill_dir: Path | None = None,
) -> SessionisedEvents:
    """Group a log's events into sessions.

    Events with a session id belong to that session, however long they pause; where several users
    have a session of the same id, each has a session of their own. Events without one are grouped
    by user: a session ends after more than `gap_minutes` of silence (a gap of exactly
    `gap_minutes` stays inside) and is named ``<user_id>/<start>``, the start being UTC in ISO
    8601. Order inside a session is time, then `log_order`.

    Parameters
    ----------
    events_dir
        Holds ``date=*/part-*.parquet`` with the columns of `interactions.schema.EVENTS`.
    gap_minutes
        Longest silence inside a session, minutes.
    collapse_repeats
        Keep only the first of consecutive events on one item.
    memory_limit
        How much DuckDB holds in memory before it spills to disk, for example ``"500MB"``. The
        result, about 18 bytes an event and 80 a session, comes on top, and twice while it is read.
    spill_dir
        Where DuckDB spills; the system's temporary directory by default.

    Raises
    ------
    SessionsError
        If the log holds no events, or none with a session id or user id.
    """
    if not any(events_dir.glob("date=*/part-*.parquet")):
        raise SessionsError(
            f"{events_dir} holds no events (date=*/part-*.parquet). Build interactions/events "
            "first, or point CROSSREC_EVENTS at a log."
        )
    with (
        tempfile.TemporaryDirectory(prefix="crossrec-spill-", dir=spill_dir) as spill,
        duckdb.connect() as connection,
    ):
        connection.execute(f"set memory_limit = '{memory_limit}'")
        connection.execute(f"set temp_directory = '{spill.replace(chr(39), chr(39) * 2)}'")
        # Every query that must be in order says so itself.
        connection.execute("set preserve_insertion_order = false")
        connection.read_parquet(
            str(events_dir / "date=*" / "part-*.parquet"), hive_partitioning=False
        ).create_view("events")
        events_in = _count(connection, "from events")
        unattributed = _count(
            connection, "from events where session_id is null and user_id is null"
        )
        if events_in == 0:
            raise SessionsError(
                f"{events_dir} holds no events. Look into the rejected events for the reasons, or "
                "point CROSSREC_EVENTS at another log."
            )
        if unattributed == events_in:
            raise SessionsError(
                f"None of the {events_in} events has a session_id or a user_id, so they cannot be "
                "grouped into sessions. Name the log's column in CROSSREC_EVENT_COLUMNS, for "
                """example '{"user_id": "customer"}'."""
            )
        for query in (_ITEMS, _OWNERS, _STREAMS):
            connection.execute(query)
        connection.execute(
            _MARKED,
            {"gap_us": round(gap_minutes * _MICROSECONDS_PER_MINUTE), "collapse": collapse_repeats},
        )
        connection.execute(_SESSIONS)
        repeats = _count(connection, "from marked where repeats")
        items = _read(connection, "select item_id from items order by code")
        sessions = _read(connection, _READ_SESSIONS)
        events = _read(connection, _READ_EVENTS)
    return SessionisedEvents(
        events=_with_positions(events, items["item_id"]),
        sessions=sessions.select(
            "session_id",
            "user_id",
            _utc("start_us").alias("start"),
            _utc("end_us").alias("end"),
        ),
        events_in=events_in,
        unattributed=unattributed,
        repeats=repeats,
    )


def _count(connection: duckdb.DuckDBPyConnection, of: str) -> int:
    # All rows are fetched: DuckDB refuses other work while a result is open.
    ((n_rows,),) = connection.execute(f"select count(*) {of}").fetchall()
    return int(n_rows)


def _read(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    return pl.DataFrame(connection.sql(query).to_arrow_table())


def _utc(microseconds: str) -> pl.Expr:
    return pl.col(microseconds).cast(pl.Datetime("us", "UTC"))


def _with_positions(events: pl.DataFrame, item_ids: pl.Series) -> pl.DataFrame:
    session = events["session"].to_numpy()
    lengths = np.bincount(session)
    first = np.cumsum(lengths) - lengths
    position = np.arange(len(session)) - first[session]
    return events.select(
        "session",
        pl.Series("position", position.astype(np.int32)),
        pl.col("code").cast(pl.UInt32).cat.to(pl.Enum(item_ids)).alias("item_id"),
        _utc("time_us").alias("timestamp"),
    )
