"""In: an inspected file of a log. Out: SQL that reads its rows, with clean ids and times in µs.

Times are read as

- date and datetime columns, and ISO 8601 text (``2023-01-02``, ``2023-01-02T03:04:05.678+02:00``);
  what has no offset is UTC;
- numbers since 1970-01-01 UTC, told apart by their magnitude: below 10^11 seconds, below 10^14
  milliseconds, below 10^17 microseconds (so seconds and milliseconds reach the year 5138, and
  milliseconds before March 1973 would be taken for seconds).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from crossrec_pipeline.atomic import scratch_directory
from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.interactions.log_files import (
    COLUMNS,
    LogFile,
    find_malformed_json_line,
    malformed_json,
)
from crossrec_pipeline.interactions.schema import DEFAULT_EVENT_TYPE

FIRST_US = -62_135_596_800_000_000  # 0001-01-01
LAST_US = 253_402_300_799_999_999  # the end of 9999

_MEMORY_LIMIT = "1GB"


@contextmanager
def log_database(parent: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for rows of a log, in a directory of `parent` that goes afterwards.

    Its memory limit is 1 GB; what is more spills to that directory.
    """
    with (
        scratch_directory(parent, "log") as directory,
        duckdb.connect(str(directory / "log.duckdb")) as connection,
    ):
        connection.execute(f"SET memory_limit = '{_MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {sql_text(str(directory / 'spill'))}")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        yield connection


def sql_text(value: str) -> str:
    """Write a value as SQL text."""
    return "'" + value.replace("'", "''") + "'"


def sql_name(value: str) -> str:
    """Write a value as an SQL name."""
    return '"' + value.replace('"', '""') + '"'


def add_prefixes(connection: duckdb.DuckDBPyConnection, item_prefixes: Mapping[str, str]) -> None:
    """Make the table `prefixes`, which the queries of this module join.

    Parameters
    ----------
    connection
        The database of the rows.
    item_prefixes
        Item type to the prefix of its ids, such as ``{"Movie": "Movie_"}``. Where the log has an
        item_type (in any case, singular or plural), ids without the prefix get it.
    """
    connection.execute("CREATE TABLE prefixes (singular VARCHAR PRIMARY KEY, prefix VARCHAR)")
    for item_type, prefix in item_prefixes.items():
        connection.execute(
            f"INSERT OR IGNORE INTO prefixes VALUES ({_singular(sql_text(item_type))}, ?)", [prefix]
        )


def rows_of_file(
    connection: duckdb.DuckDBPyConnection, file: LogFile, mapped: Mapping[str, str]
) -> str:
    """Return the query of a file's rows, see `clean_rows`; they are numbered as they come.

    Parameters
    ----------
    connection
        With `prefixes`; it looks up the type of the time's column.
    file
        An inspected file.
    mapped
        Our column names to the file's, for those that are there.

    Raises
    ------
    duckdb.Error
        If the file cannot be read; `unreadable` says it in one sentence.
    """
    source = _reader(file, mapped)
    chosen = {ours: f"source.{sql_name(_column(file, theirs))}" for ours, theirs in mapped.items()}
    text = {ours: f"CAST({column} AS VARCHAR)" for ours, column in chosen.items()}
    described = connection.execute(f"DESCRIBE SELECT {chosen['timestamp']} FROM {source} AS source")
    time_us = _time_us(chosen["timestamp"], _filled(text["timestamp"]), described.fetchall()[0][1])
    return clean_rows(source, text, time_us, "row_number() OVER ()")


def clean_rows(source: str, text: Mapping[str, str], time_us: str, log_order: str) -> str:
    """Return the query of a source's rows.

    Its columns are log_order, user_id, session_id, item_id (with its prefix), event_type, time_text
    (as given) and time_us (since 1970, null where it could not be read).

    Parameters
    ----------
    source
        SQL of a table, or of a function that gives one; the expressions below name it `source`.
    text
        Our column names to SQL expressions of text, for those that are there.
    time_us
        SQL of the time.
    log_order
        SQL of the row's number.
    """
    filled = {ours: _filled(text[ours]) if ours in text else "NULL" for ours in COLUMNS}
    # The rows are numbered before the join, which does not keep their order.
    return f"""
        SELECT
            log_order,
            user_id,
            session_id,
            CASE WHEN prefix IS NULL OR starts_with(item_id, prefix) THEN item_id
                 ELSE prefix || item_id END AS item_id,
            coalesce(event_type, {sql_text(DEFAULT_EVENT_TYPE)}) AS event_type,
            time_text,
            CASE WHEN time_us >= {FIRST_US} THEN time_us END AS time_us
        FROM (
            SELECT
                {log_order} AS log_order,
                CAST({filled["user_id"]} AS VARCHAR) AS user_id,
                CAST({filled["session_id"]} AS VARCHAR) AS session_id,
                CAST({filled["item_id"]} AS VARCHAR) AS item_id,
                {_singular(filled["item_type"])} AS singular,
                CAST({filled["event_type"]} AS VARCHAR) AS event_type,
                CAST({filled["timestamp"]} AS VARCHAR) AS time_text,
                {time_us} AS time_us
            FROM {source} AS source
        ) LEFT JOIN prefixes USING (singular)"""


def unreadable(file: LogFile, error: duckdb.Error) -> EventsError:
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


def no_time_readable(path: Path, column: str, row: int, text: str) -> EventsError:
    """Say that no time of a log can be read: most likely another column was meant."""
    return EventsError(
        f"{path}: no value of column {column!r} can be read as a time; the first is "
        f"{text[:60]!r} (row {row}). Expected ISO 8601 such as 2023-01-02T03:04:05Z, or seconds, "
        "milliseconds or microseconds since 1970. Name another column with "
        "CROSSREC_EVENT_COLUMNS__TIMESTAMP=<column>."
    )


def _filled(text: str) -> str:
    return f"nullif(trim({text}), '')"


def _reader(file: LogFile, mapped: Mapping[str, str]) -> str:
    """Return the SQL table function that reads a file, all text as VARCHAR."""
    path = sql_text(str(file.path))
    compression = f"compression = {sql_text('gzip' if file.is_gzip else 'none')}"
    if file.format == "parquet":
        return f"read_parquet({path})"
    if file.format == "jsonl":
        names = ", ".join(f"{sql_text(theirs)}: 'VARCHAR'" for theirs in mapped.values())
        return (
            f"read_json({path}, format = 'newline_delimited', columns = {{{names}}}, {compression})"
        )
    # Columns go by position: names may be empty or repeated.
    names = ", ".join(f"'column{i}': 'VARCHAR'" for i in range(len(file.columns)))
    return (
        f"read_csv({path}, auto_detect = false, header = true, delim = {sql_text(file.delimiter)}, "
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
