"""In: a user's own log, file by file. Out: its accepted events by day, and the refused ones."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import duckdb
import narwhals as nw
import polars as pl

from crossrec_pipeline.atomic import atomic_directory, atomic_file
from crossrec_pipeline.digests import files_digest, json_digest
from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.interactions.clean import REASONS, judge, latest_acceptable_us
from crossrec_pipeline.interactions.log import DayPartitionWriter, LogSummary
from crossrec_pipeline.interactions.log_files import (
    LogFile,
    find_log_files,
    inspect_log_file,
    map_columns,
)
from crossrec_pipeline.interactions.log_rows import (
    LAST_US,
    add_prefixes,
    log_database,
    no_time_readable,
    rows_of_file,
    sql_text,
    unreadable,
)
from crossrec_pipeline.interactions.schema import REJECTED_EVENTS

_BATCH_ROWS = 1 << 18


def log_fingerprint(location: str | Path) -> str:
    """Digest names, sizes and times of a log's files: a cheap look whether it may have changed.

    Raises
    ------
    EventsError
        If there is no such file.
    """
    stats = [(path, path.stat()) for path in find_log_files(location)]
    return json_digest([[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats])


def log_version(location: str | Path) -> str:
    """Digest the bytes of a log's files.

    Raises
    ------
    EventsError
        If there is no such file.
    """
    return files_digest(find_log_files(location))


def load_log(
    location: str | Path,
    items: pl.DataFrame,
    event_columns: Mapping[str, str],
    item_prefixes: Mapping[str, str],
    events_dir: Path,
    rejected_path: Path,
    now: datetime,
) -> LogSummary:
    """Read a log, judge each event, and write both the accepted and the refused ones.

    The log passes through a DuckDB file beside the output, with a memory limit of 1 GB: it may be
    larger than memory.

    Parameters
    ----------
    location
        A path or glob; the files of a glob are read in the order of their paths.
    items
        The catalogue; needs item_id.
    event_columns
        Our column names to the log's, where they differ. Needs item_id, timestamp, and user_id or
        session_id; event_type and item_type are optional.
    item_prefixes
        Item type to the prefix of its ids, such as ``{"Movie": "Movie_"}``. Where the log has an
        item_type (in any case, singular or plural), ids without the prefix get it.
    events_dir
        Replaced as a whole by ``date=YYYY-MM-DD/part-0.parquet``, ordered by time, then log order.
    rejected_path
        Parquet file with the columns of `REJECTED_EVENTS`, in the order of the log.
    now
        The present, aware; what is later than it by more than a day is refused.

    Returns
    -------
    LogSummary
        With `n_rejected` by reason.

    Raises
    ------
    EventsError
        If a file cannot be read, no event can be used, or one session has two users. Nothing is
        written then.
    SettingsError
        If `event_columns` names a column we do not have.
    """
    files = [inspect_log_file(path) for path in find_log_files(location)]
    columns = [map_columns(file, event_columns) for file in files]
    with (
        atomic_file(rejected_path) as partial_rejected,
        atomic_directory(events_dir) as partial_events,
        log_database(events_dir.parent) as connection,
    ):
        _stage(connection, files, columns, item_prefixes)
        _require_rows(connection, location)
        _require_times(connection, files, columns)
        _judge(connection, items, now)
        n_rejected = _count_reasons(connection)
        _require_accepted(connection, location, items, n_rejected)
        _require_one_user_a_session(connection, location)
        _write_rejected(connection, partial_rejected)
        return _write_accepted(connection, partial_events, n_rejected)


def _stage(
    connection: duckdb.DuckDBPyConnection,
    files: list[LogFile],
    columns: list[dict[str, str]],
    item_prefixes: Mapping[str, str],
) -> None:
    """Copy all files into the table `log`, with cleaned ids and times in µs."""
    add_prefixes(connection, item_prefixes)
    connection.execute(
        "CREATE TABLE log (log_order BIGINT, user_id VARCHAR, session_id VARCHAR, "
        "item_id VARCHAR, event_type VARCHAR, time_text VARCHAR, time_us BIGINT)"
    )
    for file, mapped in zip(files, columns, strict=True):
        n_before = _scalar(connection, "SELECT count(*) FROM log")
        try:
            connection.execute(
                f"INSERT INTO log SELECT {n_before} + log_order, * EXCLUDE (log_order) "
                f"FROM ({rows_of_file(connection, file, mapped)})"
            )
        except duckdb.Error as error:
            raise unreadable(file, error) from None


def _scalar(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return connection.execute(query).fetchall()[0][0]


def _require_rows(connection: duckdb.DuckDBPyConnection, location: str | Path) -> None:
    if _scalar(connection, "SELECT count(*) FROM log") == 0:
        raise EventsError(f"{location} has a header but no events. Deliver the log again.")


def _require_times(
    connection: duckdb.DuckDBPyConnection, files: list[LogFile], columns: list[dict[str, str]]
) -> None:
    """Refuse a log none of whose times can be read: most likely another column was meant."""
    if _scalar(connection, "SELECT count(time_us) FROM log") > 0:
        return
    first = connection.execute(
        "SELECT log_order, time_text FROM log WHERE time_text IS NOT NULL "
        "ORDER BY log_order LIMIT 1"
    ).fetchall()
    if first:
        raise no_time_readable(files[0].path, columns[0]["timestamp"], *first[0])


def _judge(connection: duckdb.DuckDBPyConnection, items: pl.DataFrame, now: datetime) -> None:
    """Make the table `judged`: the log with a reason, null where the event is accepted."""
    known = items.select(pl.col("item_id").cast(pl.String))
    connection.register("known_items", known.to_arrow(compat_level=pl.CompatLevel.oldest()))
    log = connection.sql(
        "SELECT * EXCLUDE (time_text), time_text IS NOT NULL AS time_given FROM log"
    )
    judged = judge(
        nw.from_native(log),
        nw.from_native(connection.table("known_items")),
        latest_acceptable_us(now),
    )
    judged.to_native().create("judged")
    connection.execute("DROP TABLE log")


def _count_reasons(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = connection.execute(
        "SELECT reason, count(*) FROM judged WHERE reason IS NOT NULL GROUP BY reason"
    ).fetchall()
    counts = dict(rows)
    return {reason: counts[reason] for reason in REASONS if reason in counts}


def _require_accepted(
    connection: duckdb.DuckDBPyConnection,
    location: str | Path,
    items: pl.DataFrame,
    n_rejected: Mapping[str, int],
) -> None:
    n_events = _scalar(connection, "SELECT count(*) FROM judged")
    if sum(n_rejected.values()) < n_events:
        return
    counts = ", ".join(f"{reason} {count}" for reason, count in n_rejected.items())
    remedy = "Check the columns named by CROSSREC_EVENT_COLUMNS__*."
    unknown = connection.execute(
        "SELECT item_id FROM judged WHERE reason = 'unknown_item' ORDER BY log_order LIMIT 1"
    ).fetchall()
    if unknown:
        known = f"such as {items['item_id'][0]!r}" if items.height else "which is empty"
        remedy = (
            f"The log's first unknown item is {unknown[0][0][:60]!r}; ids must be those of "
            f"catalogue.items, {known}. If they lack only the prefix of their type, name the "
            "column that holds the type with CROSSREC_EVENT_COLUMNS__ITEM_TYPE=<column>."
        )
    raise EventsError(f"{location}: none of its {n_events} events can be used ({counts}). {remedy}")


def _require_one_user_a_session(
    connection: duckdb.DuckDBPyConnection, location: str | Path
) -> None:
    clash = connection.execute(
        "SELECT session_id, min(user_id), max(user_id) FROM judged "
        "WHERE reason IS NULL AND session_id IS NOT NULL GROUP BY session_id "
        "HAVING min(user_id) <> max(user_id) ORDER BY session_id LIMIT 1"
    ).fetchall()
    if clash:
        session_id, one, other = clash[0]
        raise EventsError(
            f"{location}: session_id {session_id!r} is used by two users, {one!r} and "
            f"{other!r}. Make session ids unique in the whole log, for example by putting the "
            "user before them, or leave the column out, so that sessions come from the "
            "inactivity gap."
        )


def _event_columns(schema: Mapping[str, pl.DataType]) -> str:
    return ", ".join(
        f"CASE WHEN time_us <= {LAST_US} THEN make_timestamptz(time_us) END AS timestamp"
        if name == "timestamp"
        else name
        for name in schema
    )


def _write_rejected(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(
        f"COPY (SELECT {_event_columns(REJECTED_EVENTS)} FROM judged WHERE reason IS NOT NULL "
        f"ORDER BY log_order) TO {sql_text(str(path))} (FORMAT parquet, COMPRESSION zstd)"
    )


def _write_accepted(
    connection: duckdb.DuckDBPyConnection, directory: Path, n_rejected: dict[str, int]
) -> LogSummary:
    query = (
        "SELECT user_id, session_id, item_id, event_type, make_timestamptz(time_us) AS timestamp, "
        "log_order FROM judged WHERE reason IS NULL ORDER BY time_us, log_order"
    )
    with DayPartitionWriter(directory) as writer:
        for batch in connection.sql(query).to_arrow_reader(_BATCH_ROWS):
            events = pl.DataFrame(batch)
            if events.height:
                writer.write(events)
                writer.close_before(events["timestamp"][-1].date())
        return writer.summary(n_rejected)
