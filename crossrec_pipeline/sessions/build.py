"""From one day's events to that day's sessions, a row an event (`schema.SESSION_EVENTS`).

All is done on integer codes: ids are long, and comparing and sorting them would take most of the
time. They are compared only between sessions that start together.
"""

import numpy as np
import polars as pl
import pyarrow as pa

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.build_kernels import (
    find_streams,
    is_in_order,
    lay_out,
    number_sessions,
    sort_by,
    spread,
)
from crossrec_pipeline.sessions.order import order_by_start
from crossrec_pipeline.sessions.schema import EVENT_TYPE

ID_COLUMNS = ("session_id", "user_id", "item_id")
"""Columns to read with a dictionary."""

EVENT_COLUMNS = (*ID_COLUMNS, "timestamp", "log_order")
"""What is needed of a log."""

MICROSECONDS_PER_MINUTE = 60_000_000


def build_sessions(events: pa.Table, gap_minutes: float, *, event_types: bool = False) -> pa.Table:
    """Group a day's events into sessions.

    Events with a session id belong to that session, however long they pause; those of them that
    name no user belong to the user that others name. Events without one are grouped by user: a
    session ends after more than `gap_minutes` of silence (a gap of exactly `gap_minutes` stays
    inside). Order inside a session is time, then `log_order`, then item id.

    Parameters
    ----------
    events
        Columns of `EVENT_COLUMNS`, in any order; fastest where ids are dictionary-encoded and rows
        come by time and `log_order`.
    gap_minutes
        Longest silence inside a session, minutes.
    event_types
        Whether the column `event_type` is read too.

    Returns
    -------
    pa.Table
        Columns of `schema.SESSION_EVENTS` in their order, ids dictionary-encoded; with
        `event_types` that column comes last.

    Raises
    ------
    SessionsError
        If two users have a session of the same id.
    """
    (session, session_ids), (user, user_ids), (item, item_ids) = (
        _codes(events[name]) for name in ID_COLUMNS
    )
    time_us = _int64(events["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
    log_order = _int64(events["log_order"])
    kind, kinds = _codes(events[EVENT_TYPE]) if event_types else (None, None)
    if not is_in_order(time_us, log_order):
        order = sort_by(time_us, sort_by(log_order, np.arange(len(item))))
        if not is_in_order(time_us[order], log_order[order]):
            by_item = sort_by(_ranks(item_ids)[item], np.arange(len(item)))
            order = sort_by(time_us, sort_by(log_order, by_item))
        session, user, item = session[order], user[order], item[order]
        time_us, log_order = time_us[order], log_order[order]
        kind = None if kind is None else kind[order]

    n_streams = len(session_ids) + len(user_ids)
    stream, owner, is_shared = find_streams(session, user, len(session_ids))
    if is_shared.any():
        _refuse_shared_sessions(session, session_ids, user, user_ids, is_shared)
    number, first, lengths = number_sessions(
        stream, time_us, n_streams, len(session_ids), round(gap_minutes * MICROSECONDS_PER_MINUTE)
    )
    session_of, start_us = session[first], time_us[first]
    user_of = np.append(owner, np.int32(-1))[session_of]
    user_of = np.where(session_of < 0, user[first], user_of)

    order = order_by_start(
        start_us,
        lambda tied: pl.DataFrame(
            {
                "session_id": _texts(session_of[tied], session_ids),
                "user_id": _texts(user_of[tied], user_ids),
            }
        ),
    )
    begin = np.empty(len(order), dtype=np.int64)
    begin[order] = np.cumsum(lengths[order]) - lengths[order]
    if kind is not None:
        kind, _, _ = lay_out(number, begin, kind, time_us, log_order)
    item, time_us, log_order = lay_out(number, begin, item, time_us, log_order)
    user, session, start_us, position = spread(
        lengths[order], user_of[order], session_of[order], start_us[order]
    )
    table = pa.table(
        {
            "session_id": _texts(session, session_ids),
            "user_id": _texts(user, user_ids),
            "start_us": start_us,
            "position": position,
            "item_id": _texts(item, item_ids),
            "time_us": time_us,
            "log_order": log_order,
        }
    )
    if kind is None or kinds is None:
        return table
    return table.append_column(EVENT_TYPE, pa.chunked_array([_texts(kind, kinds)]))


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Split ids into codes (-1 for null) and what they stand for."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    if column.num_chunks == 0:
        return np.empty(0, dtype=np.int32), pa.array([], column.type.value_type)
    codes = [chunk.indices.fill_null(-1).to_numpy() for chunk in column.chunks]
    return np.concatenate(codes).astype(np.int32, copy=False), column.chunk(0).dictionary


def _texts(codes: np.ndarray, ids: pa.Array) -> pa.DictionaryArray:
    is_null = codes < 0
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=is_null if is_null.any() else None), ids
    )


def _int64(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy().astype(np.int64, copy=False)


def _ranks(ids: pa.Array) -> np.ndarray:
    """Return the place of each id among all, sorted, int64 [n_ids]."""
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[pl.Series(ids, dtype=pl.String).arg_sort().to_numpy()] = np.arange(len(ids))
    return ranks


def _refuse_shared_sessions(
    session: np.ndarray,
    session_ids: pa.Array,
    user: np.ndarray,
    user_ids: pa.Array,
    is_shared: np.ndarray,
) -> None:
    shared = np.flatnonzero(is_shared)
    of = min(shared, key=lambda code: session_ids[code].as_py())
    users = {user_ids[code].as_py() for code in np.unique(user[(session == of) & (user >= 0)])}
    raise shared_session(session_ids[of].as_py(), min(users), max(users))


def shared_session(session_id: str, one: str, other: str) -> SessionsError:
    """Say that a session id of the log is used by two users."""
    return SessionsError(
        f"session_id {session_id!r} is used by two users, {one!r} and {other!r}. Make session ids "
        "unique in the whole log, for example by putting the user before them, or leave the column "
        "out, so that sessions come from the inactivity gap."
    )
