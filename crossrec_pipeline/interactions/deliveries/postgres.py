"""In: a table or view of a PostgreSQL database. Out: its rows, one delivery a day (UTC).

The days that the ledger does not have are asked for, and the last ones again, since events come
late. The time's column should have an index: each day is one query on it. Passwords come from the
URL, from `PGPASSWORD`, or from `~/.pgpass`, and are never shown.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import duckdb
import pyarrow as pa

from crossrec_pipeline.digests import json_digest, text_digest
from crossrec_pipeline.errors import EventsError, SettingsError
from crossrec_pipeline.interactions.clean import latest_acceptable_us
from crossrec_pipeline.interactions.deliveries.ledger import UNDATED, Ledger
from crossrec_pipeline.interactions.deliveries.location import shown_location, split_url
from crossrec_pipeline.interactions.deliveries.outcome import Outcome, Place
from crossrec_pipeline.interactions.deliveries.stage import stage_rows
from crossrec_pipeline.interactions.log_files import COLUMNS, LogFile, map_columns
from crossrec_pipeline.interactions.log_rows import (
    FIRST_US,
    LAST_US,
    clean_rows,
    sql_name,
    sql_text,
)
from crossrec_pipeline.settings import LogSettings

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

_CONNECT_SECONDS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US_A_SECOND = 1_000_000
_US_A_DAY = 86_400 * _US_A_SECOND
_NAME_PART = re.compile(r'"(?:[^"]|"")+"|[^".]+')
_TABLE_NAME = re.compile(rf"(?:{_NAME_PART.pattern})(?:\.(?:{_NAME_PART.pattern}))?")
_DRIVER_WORDS = re.compile(r"^\w+: \[libpq\] (Failed to [\w ]+: )?(could not [\w ]+: )?")
_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
_MAGNITUDES = ((1_000_000, 0, 10**11), (1_000, 10**11, 10**14), (1, 10**14, 10**17))
"""µs in a unit, and between which numbers it is meant: as in `log_rows`."""
_REMEDIES = {
    "password": "See the user and the password: they come from the URL, PGPASSWORD or ~/.pgpass.",
    "role": "See the user of the URL.",
    "permission denied": "Have the user granted SELECT on the table and USAGE on its schema.",
    "database": "See the name of the database at the end of the URL.",
}


@dataclass(frozen=True)
class _Scale:
    """One way in which a column may say a time: how a time is written, and for which values."""

    literal: Callable[[int], str]
    us: Callable[[str], str]
    guard: str


@dataclass(frozen=True)
class _Table:
    """A table as it can be asked for days."""

    name: str
    sql: str
    columns: str
    time: str
    scales: tuple[_Scale, ...]

    def between(self, start_us: int, end_us: int) -> str:
        """Return the condition of times from `start_us` on and before `end_us`."""
        return " OR ".join(
            f"({self.time} >= {scale.literal(start_us)} AND {self.time} < {scale.literal(end_us)}"
            f"{scale.guard})"
            for scale in self.scales
        )

    def rows(self, condition: str) -> str:
        """Return the query of rows whose times can be told."""
        cases = " ".join(
            f"WHEN true{scale.guard} THEN {scale.us(self.time)}" for scale in self.scales
        )
        return (
            f"SELECT {self.columns}, CAST(CASE {cases} END AS bigint) AS time_us, "
            f"CAST(NULL AS text) AS timestamp FROM {self.sql} WHERE {condition}"
        )

    def undated_rows(self) -> str:
        """Return the query of the other rows: null, infinite, or far outside the calendar."""
        return (
            f"SELECT {self.columns}, CAST(NULL AS bigint) AS time_us, "
            f"CAST({self.time} AS text) AS timestamp FROM {self.sql} "
            f"WHERE {self.time} IS NULL OR NOT ({self.between(FIRST_US, LAST_US + 1)})"
        )

    def first_us(self, start_us: int, end_us: int) -> str:
        """Return the query of the first time in a span; it can use an index on the column."""
        firsts = " UNION ALL ".join(
            f"SELECT {scale.us('first')} AS us FROM (SELECT min({self.time}) AS first "
            f"FROM {self.sql} WHERE {self.time} >= {scale.literal(start_us)} "
            f"AND {self.time} < {scale.literal(end_us)}{scale.guard}) AS firsts"
            for scale in self.scales
        )
        return f"SELECT CAST(min(us) AS bigint) FROM ({firsts}) AS scales"


def read_table(
    url: str, log: LogSettings, event_columns: Mapping[str, str], ledger: Ledger, place: Place
) -> Iterator[Outcome]:
    """Read the days of a table that are new, or may have changed.

    A day is asked for until it was read `late_days` after its end, however long nothing was read in
    between. Nothing is asked that lies ahead of now by more than a day. Rows whose time is null or
    infinite are one more delivery.

    Parameters
    ----------
    url
        Of the database, such as ``postgresql://reader@db.example/shop``.
    log
        Names the table.
    event_columns
        Our column names to the table's, where they differ.
    ledger
        What was read before.
    place
        Where to, and how.

    Yields
    ------
    Outcome
        One a day whose rows are not what they were; the names are ``<table>/YYYY-MM-DD``.

    Raises
    ------
    EventsError
        If the server, the table or a column is missing, or may not be read.
    SettingsError
        If no table is named, or `event_columns` names a column we do not have.
    """
    with _connected(url) as connection:
        table = _describe(connection, log, event_columns)
        end_us = _end_us(place.now)
        for day in _days_to_read(connection, table, log, ledger, place):
            condition = table.between(_day_us(day), min(_day_us(day) + _US_A_DAY, end_us))
            name = f"{table.name}/{day.isoformat()}"
            yield from _read(connection, table.rows(condition), name, ledger, place)
        yield from _read(connection, table.undated_rows(), f"{table.name}/{UNDATED}", ledger, place)


def table_fingerprint(
    url: str, log: LogSettings, event_columns: Mapping[str, str], now: datetime
) -> str:
    """Count the rows of the last days, and note the first and the last time.

    Raises
    ------
    EventsError
        If the server, the table or a column is missing, or may not be read.
    SettingsError
        If no table is named, or `event_columns` names a column we do not have.
    """
    with _connected(url) as connection:
        table = _describe(connection, log, event_columns)
        start_us = _day_us(now.astimezone(UTC).date()) - log.late_days * _US_A_DAY
        end_us = _end_us(now)
        counted = _rows(
            connection,
            f"SELECT count(*), CAST(max({table.time}) AS text) FROM {table.sql} "
            f"WHERE {table.between(start_us, end_us)}",
        )
        first = _rows(connection, table.first_us(_first_us(log), end_us))
        return json_digest([table.name, start_us, counted, first])


def _days_to_read(
    connection: "Connection", table: _Table, log: LogSettings, ledger: Ledger, place: Place
) -> list[date]:
    prefix = f"{table.name}/"
    known = {
        date.fromisoformat(name.removeprefix(prefix)): delivery
        for name, delivery in ledger.deliveries.items()
        if name.startswith(prefix) and name != prefix + UNDATED
    }
    days = []
    for day, delivery in known.items():
        settled = _EPOCH + timedelta(microseconds=_day_us(day), days=1 + log.late_days)
        read_early = datetime.fromisoformat(delivery.read_at) < settled
        if read_early or delivery.read_as != place.read_as:
            days.append(day)
    # Empty days are leapt over, each leap being one look into the index.
    next_us, end_us = _first_us(log), _end_us(place.now)
    while next_us < end_us:
        found = _rows(connection, table.first_us(next_us, end_us))[0][0]
        if found is None:
            break
        day = (_EPOCH + timedelta(microseconds=found)).date()
        if day not in known:
            days.append(day)
        next_us = _day_us(day) + _US_A_DAY
        while next_us < end_us and (_EPOCH + timedelta(microseconds=next_us)).date() in known:
            next_us += _US_A_DAY
    return sorted(day for day in days if _first_us(log) <= _day_us(day) < end_us)


def _read(
    connection: "Connection", query: str, name: str, ledger: Ledger, place: Place
) -> Iterator[Outcome]:
    """Stage the rows of a query, and yield them if they are not what they were."""
    known = ledger.deliveries.get(name)
    target = place.target(name, text_digest(place.now.isoformat()))
    with connection.cursor() as cursor:
        cursor.execute(query)
        place.connection.register("table_rows", cursor.fetch_record_batch())
        text = {ours: f"source.{ours}" for ours in COLUMNS}
        # A table has no order of its own: its rows are numbered by what they say.
        order = ", ".join(["source.time_us", *text.values()])
        cleaned = clean_rows(
            "table_rows", text, "source.time_us", f"row_number() OVER (ORDER BY {order})"
        )
        staged = stage_rows(place.connection, cleaned, target)
        place.connection.unregister("table_rows")
    if known is None and not staged.pieces:
        rmtree(target)
        return
    version = json_digest(
        [place.read_as, {day: piece.digest for day, piece in staged.pieces.items()}]
    )
    if known and known.version == version:
        rmtree(target)
        yield name, replace(known, read_at=place.now.isoformat())
    else:
        yield name, place.delivery(version, "", staged)


def _describe(
    connection: "Connection", log: LogSettings, event_columns: Mapping[str, str]
) -> _Table:
    """Find the table, and which of its columns is which of ours."""
    if log.table is None:
        raise SettingsError(
            "CROSSREC_EVENTS is a database, but no table is named. Set CROSSREC_LOG__TABLE to the "
            "table or view of the log, such as shop.clicks."
        )
    sql = ".".join(sql_name(part) for part in _name_parts(log.table))
    types = _rows(
        connection,
        "SELECT attname, format_type(atttypid, NULL) FROM pg_catalog.pg_attribute "
        f"WHERE attrelid = to_regclass({sql_text(sql)}) AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum",
    )
    if not types:
        raise EventsError(
            f"CROSSREC_LOG__TABLE={log.table}: the database has no such table or view. Name it "
            "with its schema, such as shop.clicks; capitals and small letters matter."
        )
    columns = dict(types)
    file = LogFile(Path(log.table), "table", "", False, tuple(columns))
    mapped = map_columns(file, event_columns)
    time = sql_name(mapped["timestamp"])
    return _Table(
        name=log.table,
        sql=sql,
        columns=", ".join(
            f"CAST({sql_name(mapped[ours]) if ours in mapped else 'NULL'} AS text) AS {ours}"
            for ours in COLUMNS
            if ours != "timestamp"
        ),
        time=time,
        scales=_scales(log.table, mapped["timestamp"], columns[mapped["timestamp"]]),
    )


def _name_parts(table: str) -> list[str]:
    """Split ``shop.clicks`` or ``"my.shop".clicks`` into its names."""
    if not _TABLE_NAME.fullmatch(table):
        raise SettingsError(
            f"CROSSREC_LOG__TABLE={table!r} is no name of a table. Expected one such as clicks, "
            'shop.clicks, or "my.shop".clicks.'
        )
    parts = _NAME_PART.findall(table)
    return [part[1:-1].replace('""', '"') if part[0] == '"' else part for part in parts]


def _scales(table: str, column: str, sql_type: str) -> tuple[_Scale, ...]:
    """Return how a column of a type says a time."""

    def epoch(value: str) -> str:
        return f"(extract(epoch FROM {value}) * {_US_A_SECOND})"

    if sql_type == "timestamp with time zone":
        return (_Scale(lambda us: f"TIMESTAMPTZ '{_written(us)}+00'", epoch, ""),)
    if sql_type in ("date", "timestamp without time zone"):
        return (_Scale(lambda us: f"TIMESTAMP '{_written(us)}'", epoch, ""),)
    if sql_type not in _NUMBERS:
        raise EventsError(
            f"{table}: column {column!r} (for timestamp) has type {sql_type}. Expected a "
            "timestamp, a date, or a number of seconds, milliseconds or microseconds since 1970. "
            "Make a view that casts it, or name another column with "
            "CROSSREC_EVENT_COLUMNS__TIMESTAMP=<column>."
        )
    value = sql_name(column)
    return tuple(
        _number_scale(
            factor,
            f" AND ({value} >= {low} OR {value} <= -{low}) "
            f"AND {value} > -{high} AND {value} < {high}",
        )
        for factor, low, high in _MAGNITUDES
    )


def _number_scale(factor: int, guard: str) -> _Scale:
    # By way of text, since a double cast to numeric keeps 15 digits only.
    return _Scale(
        lambda us: str(Decimal(us) / factor),
        lambda value: f"floor(CAST(CAST({value} AS text) AS numeric) * {factor})",
        guard,
    )


def _written(us: int) -> str:
    if us > LAST_US:
        return "10000-01-01 00:00:00"
    return (_EPOCH + timedelta(microseconds=us)).replace(tzinfo=None).isoformat(" ")


def _day_us(day: date) -> int:
    return (day - _EPOCH.date()).days * _US_A_DAY


def _first_us(log: LogSettings) -> int:
    return _day_us(log.first_day) if log.first_day else FIRST_US


def _end_us(now: datetime) -> int:
    """Return the first time that is from the future."""
    return latest_acceptable_us(now) + 1


def _rows(connection: "Connection", query: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@contextmanager
def _connected(url: str) -> Iterator["Connection"]:
    """Connect for reading only; say what the server or the driver says in one sentence."""
    try:
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise SettingsError(
            "CROSSREC_EVENTS is a PostgreSQL database, and its driver is not installed. Install it "
            "with: pip install 'crossrec-pipeline[postgres]'."
        ) from None
    try:
        with dbapi.connect(_with_timeout(url), autocommit=True) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SET default_transaction_read_only = on")
                cursor.execute("SET TimeZone = 'UTC'")
            yield connection
    except (Error, duckdb.Error, pa.ArrowException) as error:
        raise _unreachable(url, error) from None


def _with_timeout(url: str) -> str:
    """Give up a server that does not answer, unless the URL or the environment says when."""
    query = split_url(url).query
    if "PGCONNECT_TIMEOUT" in os.environ or "connect_timeout" in dict(parse_qsl(query)):
        return url
    return f"{url}{'&' if query else '?'}connect_timeout={_CONNECT_SECONDS}"


def _unreachable(url: str, error: Exception) -> EventsError:
    # The driver says what it did before what the server says, and the query after it.
    text = _DRIVER_WORDS.sub("", " ".join(str(error).split()), count=1)
    text = re.split(r" Query was: |[. (]*SQLSTATE", text)[0].rstrip(".?")
    for secret in _passwords(url):
        text = text.replace(secret, "***")
    remedy = next(
        (remedy for sign, remedy in _REMEDIES.items() if sign in text),
        "See that the server runs and can be reached from here, and try again.",
    )
    return EventsError(f"{shown_location(url)} cannot be read: {text[:300]}. {remedy}")


def _passwords(url: str) -> set[str]:
    parts = split_url(url)
    found = {parts.password or "", dict(parse_qsl(parts.query)).get("password", "")}
    found.add(os.environ.get("PGPASSWORD", ""))
    return {secret for text in found if text for secret in (text, unquote(text))}
