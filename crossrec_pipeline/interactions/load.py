"""In: a user's own log (CSV, TSV, JSON lines or Parquet). Out: its events by day, and the refused.

Times are read as

- date and datetime columns, and ISO 8601 text (``2023-01-02``, ``2023-01-02T03:04:05.678+02:00``);
  what has no offset is UTC;
- numbers since 1970-01-01 UTC, told apart by their magnitude: below 10^11 seconds, below 10^14
  milliseconds, below 10^17 microseconds (so seconds and milliseconds reach the year 5138, and
  milliseconds before March 1973 would be taken for seconds).

An event is refused with the first reason that holds, in the order of `REASONS`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from shutil import rmtree

import duckdb
import polars as pl

from crossrec_pipeline.atomic import atomic_directory, atomic_file
from crossrec_pipeline.digests import files_digest, json_digest
from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.interactions.log import DayPartitionWriter, LogSummary
from crossrec_pipeline.interactions.log_files import (
    COLUMNS,
    LogFile,
    find_log_files,
    find_malformed_json_line,
    inspect_log_file,
    malformed_json,
    map_columns,
)
from crossrec_pipeline.interactions.schema import DEFAULT_EVENT_TYPE, REJECTED_EVENTS

REASONS = (
    "no_item",
    "unknown_item",
    "no_timestamp",
    "unparseable_timestamp",
    "from_future",
    "no_user_or_session",
    "duplicate",
)
FUTURE_TOLERANCE = timedelta(days=1)

_BATCH_ROWS = 1 << 18
_MEMORY_LIMIT = "1GB"
_FIRST_US = -62_135_596_800_000_000  # 0001-01-01
_LAST_US = 253_402_300_799_999_999  # the end of 9999


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
        _staging(partial_events / ".staging") as connection,
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


@contextmanager
def _staging(directory: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that spills to `directory`, and remove the directory afterwards."""
    directory.mkdir()
    try:
        with duckdb.connect(str(directory / "log.duckdb")) as connection:
            connection.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
            connection.execute(f"SET temp_directory = {_text(str(directory / 'spill'))}")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
            yield connection
    finally:
        rmtree(directory, ignore_errors=True)


def _text(value: str) -> str:
    """Write a value as SQL text."""
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    """Write a value as an SQL name."""
    return '"' + value.replace('"', '""') + '"'


def _stage(
    connection: duckdb.DuckDBPyConnection,
    files: list[LogFile],
    columns: list[dict[str, str]],
    item_prefixes: Mapping[str, str],
) -> None:
    """Copy all files into the table `log`, with cleaned ids and times in µs."""
    connection.execute("CREATE TABLE prefixes (singular VARCHAR PRIMARY KEY, prefix VARCHAR)")
    for item_type, prefix in item_prefixes.items():
        connection.execute(
            f"INSERT OR IGNORE INTO prefixes VALUES ({_singular(_text(item_type))}, ?)", [prefix]
        )
    connection.execute(
        "CREATE TABLE log (log_order BIGINT, user_id VARCHAR, session_id VARCHAR, "
        "item_id VARCHAR, event_type VARCHAR, time_text VARCHAR, time_us BIGINT)"
    )
    for file, mapped in zip(files, columns, strict=True):
        try:
            _stage_file(connection, file, mapped)
        except duckdb.Error as error:
            raise _unreadable(file, error) from None


def _stage_file(
    connection: duckdb.DuckDBPyConnection, file: LogFile, mapped: Mapping[str, str]
) -> None:
    source = _reader(file, mapped)
    chosen = {ours: f"source.{_name(_column(file, theirs))}" for ours, theirs in mapped.items()}
    text = {
        ours: f"nullif(trim(CAST({chosen[ours]} AS VARCHAR)), '')" if ours in chosen else "NULL"
        for ours in COLUMNS
    }
    types = connection.execute(
        f"DESCRIBE SELECT {chosen['timestamp']} FROM {source} AS source"
    ).fetchall()
    time_us = _time_us(chosen["timestamp"], text["timestamp"], types[0][1])
    # The rows are numbered before the join, which does not keep their order.
    connection.execute(
        f"""
        INSERT INTO log
        SELECT
            log_order,
            user_id,
            session_id,
            CASE WHEN prefix IS NULL OR starts_with(item_id, prefix) THEN item_id
                 ELSE prefix || item_id END,
            coalesce(event_type, {_text(DEFAULT_EVENT_TYPE)}),
            time_text,
            CASE WHEN time_us >= {_FIRST_US} THEN time_us END
        FROM (
            SELECT
                (SELECT count(*) FROM log) + row_number() OVER () AS log_order,
                {text["user_id"]} AS user_id,
                {text["session_id"]} AS session_id,
                {text["item_id"]} AS item_id,
                {_singular(text["item_type"])} AS singular,
                {text["event_type"]} AS event_type,
                {text["timestamp"]} AS time_text,
                {time_us} AS time_us
            FROM {source} AS source
        ) LEFT JOIN prefixes USING (singular)
        """
    )


def _reader(file: LogFile, mapped: Mapping[str, str]) -> str:
    """Return the SQL table function that reads a file, all text as VARCHAR."""
    path = _text(str(file.path))
    compression = f"compression = {_text('gzip' if file.is_gzip else 'none')}"
    if file.format == "parquet":
        return f"read_parquet({path})"
    if file.format == "jsonl":
        names = ", ".join(f"{_text(theirs)}: 'VARCHAR'" for theirs in mapped.values())
        return (
            f"read_json({path}, format = 'newline_delimited', columns = {{{names}}}, {compression})"
        )
    # Columns go by position: names may be empty or repeated.
    names = ", ".join(f"'column{i}': 'VARCHAR'" for i in range(len(file.columns)))
    return (
        f"read_csv({path}, auto_detect = false, header = true, delim = {_text(file.delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{names}}}, {compression})"
    )


def _column(file: LogFile, theirs: str) -> str:
    return f"column{file.columns.index(theirs)}" if file.format == "csv" else theirs


def _singular(text: str) -> str:
    return f"regexp_replace(lower(trim({text})), 's$', '')"


def _time_us(column: str, text: str, sql_type: str) -> str:
    """Return the SQL of a time in µs since 1970, null where it cannot be read."""
    if sql_type == "TIMESTAMP WITH TIME ZONE":
        return f"CASE WHEN isfinite({column}) THEN epoch_us({column}) END"
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        time = f"CAST({column} AS TIMESTAMP)"
        return f"CASE WHEN isfinite({time}) THEN epoch_us({time}) END"
    whole, decimal = f"TRY_CAST({text} AS BIGINT)", f"TRY_CAST({text} AS DOUBLE)"
    return f"""
        CASE
            WHEN regexp_full_match({text}, '-?[0-9]{{1,18}}') THEN {_magnitude(whole)}
            WHEN regexp_full_match({text}, '-?[0-9]{{1,18}}[.][0-9]*') THEN {_magnitude(decimal)}
            WHEN regexp_matches({text}, '^[0-9]{{4}}[-/][0-9]{{1,2}}[-/][0-9]{{1,2}}')
                THEN epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))
        END"""


def _magnitude(number: str) -> str:
    return f"""
        CAST(CASE
            WHEN abs({number}) < 100000000000 THEN {number} * 1000000
            WHEN abs({number}) < 100000000000000 THEN {number} * 1000
            WHEN abs({number}) < 100000000000000000 THEN {number}
        END AS BIGINT)"""


def _unreadable(file: LogFile, error: duckdb.Error) -> EventsError:
    """Say in one sentence what DuckDB says in twenty lines."""
    message = str(error)
    if file.format == "jsonl":
        line, problem = find_malformed_json_line(file)
        if line:
            return malformed_json(file.path, line, problem)
    line = re.search(r"on Line: (\d+)", message)
    if line:
        fields = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
        problem = (
            f"has {fields[2]} fields, the header has {fields[1]}"
            if fields
            else "cannot be read: " + message.splitlines()[1][:200]
        )
        return EventsError(
            f"{file.path}, line {line[1]} {problem}. Repair or remove that line; cells that hold "
            "the delimiter or a line end must be quoted."
        )
    return EventsError(f"{file.path} cannot be read: {message.splitlines()[0][:300]}")


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
        row, text = first[0]
        raise EventsError(
            f"{files[0].path}: no value of column {columns[0]['timestamp']!r} can be read as a "
            f"time; the first is {text[:60]!r} (row {row}). Expected ISO 8601 such as "
            "2023-01-02T03:04:05Z, or seconds, milliseconds or microseconds since 1970. Name "
            "another column with CROSSREC_EVENT_COLUMNS__TIMESTAMP=<column>."
        )


def _judge(connection: duckdb.DuckDBPyConnection, items: pl.DataFrame, now: datetime) -> None:
    """Make the table `judged`: the log with a reason, null where the event is accepted."""
    known = items.select(pl.col("item_id").cast(pl.String).unique())
    connection.register("known_items", known.to_arrow(compat_level=pl.CompatLevel.oldest()))
    latest_us = round((now + FUTURE_TOLERANCE).timestamp() * 1_000_000)
    connection.execute(
        f"""
        CREATE TABLE judged AS
        WITH first_reasons AS (
            SELECT
                log.*,
                CASE
                    WHEN log.item_id IS NULL THEN 'no_item'
                    WHEN known_items.item_id IS NULL THEN 'unknown_item'
                    WHEN time_text IS NULL THEN 'no_timestamp'
                    WHEN time_us IS NULL THEN 'unparseable_timestamp'
                    WHEN time_us > {latest_us} THEN 'from_future'
                    WHEN user_id IS NULL AND session_id IS NULL THEN 'no_user_or_session'
                END AS reason
            FROM log LEFT JOIN known_items ON log.item_id = known_items.item_id
        )
        SELECT
            * EXCLUDE (reason, time_text),
            CASE
                WHEN reason IS NULL AND row_number() OVER (
                    PARTITION BY user_id, session_id, item_id, event_type, time_us, reason
                    ORDER BY log_order
                ) > 1 THEN 'duplicate'
                ELSE reason
            END AS reason
        FROM first_reasons
        """
    )
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
        f"CASE WHEN time_us <= {_LAST_US} THEN make_timestamptz(time_us) END AS timestamp"
        if name == "timestamp"
        else name
        for name in schema
    )


def _write_rejected(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(
        f"COPY (SELECT {_event_columns(REJECTED_EVENTS)} FROM judged WHERE reason IS NOT NULL "
        f"ORDER BY log_order) TO {_text(str(path))} (FORMAT parquet, COMPRESSION zstd)"
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
