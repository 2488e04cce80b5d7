"""In: a day's sessions, a row an event. Out: their Parquet file; and from it, batches of sessions.

The file's footer says what it was made of and what is in it, so that both can be known without
reading it. Each row group holds whole sessions: it is what is in memory at a time.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import text_digest
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.build import ID_COLUMNS
from crossrec_pipeline.sessions.schema import EVENT_TYPE, SESSION_EVENTS

ROWS_AT_A_TIME = 1 << 20
"""Rows of a row group, but for sessions that are longer."""

_FORMAT = 1
_FOOTER = b"crossrec_sessions"
_INT_COLUMNS = ("start_us", "position", "time_us", "log_order")
_TEXT_COLUMNS = (*ID_COLUMNS, EVENT_TYPE)
_LAYOUT: dict[str, Any] = {
    # Fast rather than small: these files are read at every build.
    "compression": "lz4",
    # Readers see plain texts.
    "store_schema": False,
    "use_dictionary": list(ID_COLUMNS),
    "dictionary_pagesize_limit": 1 << 30,
    "column_encoding": dict.fromkeys(_INT_COLUMNS, "DELTA_BINARY_PACKED"),
    "write_statistics": list(_INT_COLUMNS),
}


@dataclass(frozen=True)
class DaySessions:
    """What a day's file was made of, and what is in it.

    Attributes
    ----------
    events_digest
        Digest of the files of the day's events.
    gap_minutes
        Longest silence inside a session.
    n_events
        Events of the day, those left out included.
    n_unattributed
        Events left out because they have neither a session id nor a user id.
    n_sessions
        Sessions, cut at midnight.
    n_log_sessions
        Those of them that have a session id of the log.
    event_types
        Whether the type of each event is kept.
    """

    events_digest: str
    gap_minutes: float
    n_events: int
    n_unattributed: int
    n_sessions: int
    n_log_sessions: int
    event_types: bool = False

    @property
    def digest(self) -> str:
        """Content version: equal events and an equal gap give equal sessions."""
        made_by = [str(_FORMAT), repr(float(self.gap_minutes)), self.events_digest]
        return text_digest(*made_by, *([EVENT_TYPE] if self.event_types else []))

    def is_of(self, events_digest: str, gap_minutes: float, event_types: bool) -> bool:
        """Say whether the file is what these events, gap and setting would give."""
        return (self.events_digest, self.gap_minutes, self.event_types) == (
            events_digest,
            gap_minutes,
            event_types,
        )


def day_path(by_day_dir: Path, day: date) -> Path:
    """Return where the sessions of a day lie."""
    return by_day_dir / f"date={day.isoformat()}.parquet"


def list_days(by_day_dir: Path) -> list[date]:
    """List the days that have a file, in order."""
    names = (path.name for path in by_day_dir.glob("date=*.parquet"))
    return sorted(date.fromisoformat(name[len("date=") : -len(".parquet")]) for name in names)


def latest_days(days: Iterable[date], window_days: int | None) -> list[date]:
    """Return the days of the calendar window that ends with the last of them, in order.

    Parameters
    ----------
    days
        The days there are.
    window_days
        Length of the window, days without a file included; None takes all.
    """
    ordered = sorted(days)
    if window_days is None or not ordered:
        return ordered
    return [day for day in ordered if (ordered[-1] - day).days < window_days]


def write_day(
    target: Path,
    rows: Iterable[pa.Table],
    *,
    events_digest: str,
    gap_minutes: float,
    n_events: int,
    event_types: bool = False,
) -> DaySessions:
    """Write a day's sessions, whole or not at all.

    Parameters
    ----------
    target
        The file.
    rows
        Columns of `SESSION_EVENTS`, in the order told there; tables may be cut anywhere, and need
        not be in memory together.
    events_digest
        Digest of the files of the day's events.
    gap_minutes
        Longest silence inside a session.
    n_events
        Events of the day; those that are not among `rows` had no stream.
    event_types
        Whether `rows` have the column `event_type`, and the file gets it.
    """
    schema = _schema(event_types)
    n_rows = n_sessions = n_log_sessions = 0
    with (
        atomic_file(target) as partial,
        pq.ParquetWriter(partial, schema, **_layout(event_types)) as writer,
    ):
        for group in _in_whole_sessions(rows, schema):
            begins = group["position"].to_numpy() == 0
            has_id = group["session_id"].is_valid().to_numpy()
            n_rows += group.num_rows
            n_sessions += int(begins.sum())
            n_log_sessions += int((begins & has_id).sum())
            writer.write_table(group, row_group_size=max(group.num_rows, 1))
        about = DaySessions(
            events_digest,
            gap_minutes,
            n_events,
            n_events - n_rows,
            n_sessions,
            n_log_sessions,
            event_types,
        )
        said = {"format": _FORMAT, **asdict(about)}
        if not event_types:
            del said["event_types"]  # a file without them is as it was before there were any
        writer.add_key_value_metadata({_FOOTER: json.dumps(said).encode()})
    return about


def read_about(path: Path) -> DaySessions | None:
    """Read what a day's file says of itself; None where it is missing, not whole or of before.

    Only the end of the file is read.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
        about = json.loads(metadata[_FOOTER])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    return DaySessions(**about) if about.pop("format") == _FORMAT else None


def require_about(path: Path) -> DaySessions:
    """Read what a day's file says of itself.

    Raises
    ------
    SessionsError
        If it is missing, not whole, or of an earlier version.
    """
    about = read_about(path)
    if about is None:
        raise SessionsError(
            f"{path} is missing, not whole, or of another version of this program. Rebuild that "
            "day of sessions/by_day."
        )
    return about


@dataclass(frozen=True)
class DayBatch:
    """Some sessions of a day, in order.

    Attributes
    ----------
    offsets
        Events of session `s` are `offsets[s]` to `offsets[s + 1]`, int64 [n_sessions + 1].
    session_id, user_id
        Of each session; dictionary-encoded, null where there is none.
    item_code
        Of each event, int32 [n_events]; positions in `item_ids`.
    item_ids
        The items of the batch.
    time_us
        Of each event, int64 [n_events].
    is_last
        Whether no session of the day comes after these.
    event_type
        Of each event, dictionary-encoded; None where it was not asked for.
    """

    offsets: np.ndarray
    session_id: pa.DictionaryArray
    user_id: pa.DictionaryArray
    item_code: np.ndarray
    item_ids: pa.Array
    time_us: np.ndarray
    is_last: bool
    event_type: pa.DictionaryArray | None = None


def read_day(path: Path, *, event_types: bool = False) -> Iterator[DayBatch]:
    """Yield a day's sessions, a row group at a time, with the types of their events if asked for.

    Raises
    ------
    SessionsError
        If the file is missing or not whole.
    """
    texts = [*ID_COLUMNS, *([EVENT_TYPE] if event_types else [])]
    columns = [*texts, "position", "time_us"]
    try:
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=columns, use_threads=False)
                if table.num_rows:
                    is_last = group == file.num_row_groups - 1
                    yield _batch(table.unify_dictionaries().combine_chunks(), is_last)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise SessionsError(
            f"{path} is missing or not whole ({reason}). Rebuild that day of sessions/by_day."
        ) from error


def read_session_ids(path: Path) -> pa.Array:
    """Return the session ids of the log that a day has, each at least once."""
    with pq.ParquetFile(path, read_dictionary=["session_id"]) as file:
        found = file.read(columns=["session_id"], use_threads=False)["session_id"]
    ids = [chunk.dictionary for chunk in found.chunks]
    return pa.concat_arrays(ids) if ids else pa.array([], pa.string())


def _batch(table: pa.Table, is_last: bool) -> DayBatch:
    session_id, user_id, item_id = (table[name].chunk(0) for name in ID_COLUMNS)
    first = np.flatnonzero(table["position"].to_numpy() == 0)
    return DayBatch(
        offsets=np.append(first, table.num_rows),
        session_id=session_id.take(pa.array(first)),
        user_id=user_id.take(pa.array(first)),
        item_code=item_id.indices.to_numpy().astype(np.int32, copy=False),
        item_ids=item_id.dictionary,
        time_us=table["time_us"].to_numpy(),
        is_last=is_last,
        event_type=table[EVENT_TYPE].chunk(0) if EVENT_TYPE in table.column_names else None,
    )


def _in_whole_sessions(rows: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Cut rows anew, between sessions, about `ROWS_AT_A_TIME` at a time."""
    held = _encoded(schema.empty_table(), schema)
    for table in rows:
        encoded = _encoded(table, schema)
        held = _encoded(pa.concat_tables([held, encoded]), schema) if held else encoded
        while held.num_rows > ROWS_AT_A_TIME:
            begins = np.flatnonzero(held["position"].to_numpy() == 0)[1:]
            if len(begins) == 0:
                break  # one session, which goes on in the next table
            cut = begins[max(np.searchsorted(begins, ROWS_AT_A_TIME, side="right") - 1, 0)]
            yield _compact(held.slice(0, cut))
            held = held.slice(cut)
    if held.num_rows:
        yield _compact(held)


def _encoded(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bring a table to the types of the file, each column in one chunk."""
    columns = []
    for field in schema:
        column = table[field.name]
        if column.type != field.type and pa.types.is_dictionary(field.type):
            column = column.cast(pa.string()).dictionary_encode()
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema).unify_dictionaries().combine_chunks()


def _compact(table: pa.Table) -> pa.Table:
    """Leave out of the dictionaries what the rows do not use."""
    for place, name in enumerate(table.column_names):
        if name not in _TEXT_COLUMNS:
            continue
        (column,) = table[name].chunks
        codes = column.indices.fill_null(-1).to_numpy()
        is_used = np.bincount(codes[codes >= 0], minlength=len(column.dictionary)) > 0
        if is_used.all():
            continue
        new_code = np.append(np.cumsum(is_used) - 1, -1).astype(np.int32)[codes]
        compact = pa.DictionaryArray.from_arrays(
            pa.array(new_code, mask=codes < 0), column.dictionary.filter(pa.array(is_used))
        )
        table = table.set_column(place, table.schema.field(name), compact)
    return table


def _arrow_type(name: str) -> pa.DataType:
    if name in _TEXT_COLUMNS:
        return pa.dictionary(pa.int32(), pa.string())
    return pa.int32() if name == "position" else pa.int64()


def _schema(event_types: bool) -> pa.Schema:
    names = [*SESSION_EVENTS, *([EVENT_TYPE] if event_types else [])]
    return pa.schema([(name, _arrow_type(name)) for name in names])


def _layout(event_types: bool) -> dict[str, Any]:
    return {**_LAYOUT, "use_dictionary": list(_TEXT_COLUMNS)} if event_types else _LAYOUT
