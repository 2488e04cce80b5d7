"""From sessions cut at midnight, day after day, to whole sessions.

Days are read in order. A session of a user goes on where the silence over midnight, or over
several, is within the gap; a session of the log goes on at any distance. Only sessions that may
still go on are held: those of users that were there less than a gap before midnight, and those of
the log that are known to occur on a later day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.sessions.build import MICROSECONDS_PER_MINUTE, shared_session
from crossrec_pipeline.sessions.day_files import DayBatch, day_path, read_day
from crossrec_pipeline.sessions.event_inputs import EventTypeCodes
from crossrec_pipeline.sessions.item_codes import ItemCodes
from crossrec_pipeline.sessions.lasting_sessions import LastingSessions
from crossrec_pipeline.sessions.stitch_kernels import join_runs

MICROSECONDS_PER_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_NOT_LASTING = -1


@dataclass(frozen=True)
class WholeSessions:
    """Some sessions of a log, whole, in no particular order.

    Attributes
    ----------
    offsets
        Events of session `s` are `offsets[s]` to `offsets[s + 1]`, int64 [n_sessions + 1].
    item, time_us
        Code and time of each event, int32 and int64 [n_events].
    names
        `session_id` (null where the session comes from the gap) and `user_id` of each session.
    read_from_us
        When the first session of the row group began that these were read with.
    event_type
        Code of each event's type, uint16 [n_events]; None where types are not asked for.
    """

    offsets: np.ndarray
    item: np.ndarray
    time_us: np.ndarray
    names: pl.DataFrame
    read_from_us: int
    event_type: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def start_us(self) -> np.ndarray:
        """Time of each session's first event, int64 [n_sessions]."""
        return self.time_us[self.offsets[:-1]]

    @property
    def end_us(self) -> np.ndarray:
        """Time of each session's last event, int64 [n_sessions]."""
        return self.time_us[self.offsets[1:] - 1]


_NAMES = {"session_id": pl.String, "user_id": pl.String}
_NO_SESSIONS = WholeSessions(
    np.zeros(1, dtype=np.int64),
    np.empty(0, dtype=np.int32),
    np.empty(0, dtype=np.int64),
    pl.DataFrame(schema=_NAMES),
    read_from_us=0,
)


@dataclass(frozen=True)
class _Open:
    """Sessions that may go on, with all their events, and the last day of those of the log."""

    sessions: WholeSessions
    last_day: np.ndarray


@dataclass(frozen=True)
class _Joined:
    """Open sessions and those of a batch, as runs of events: up to two runs are one session."""

    item: np.ndarray
    time_us: np.ndarray
    first: np.ndarray
    length: np.ndarray
    session: np.ndarray
    names: pl.DataFrame
    last_day: np.ndarray
    read_from_us: int
    last_start_us: int
    event_type: np.ndarray | None

    @property
    def end_us(self) -> np.ndarray:
        is_last_run = np.append(self.session[1:] != self.session[:-1], True)
        return self.time_us[(self.first + self.length - 1)[is_last_run]]

    def only(self, sessions: np.ndarray, collapse_repeats: bool) -> WholeSessions:
        chosen = sessions[self.session]
        return _joined_runs(
            self,
            self.first[chosen],
            self.length[chosen],
            (np.cumsum(sessions) - 1)[self.session[chosen]],
            self.names.filter(pl.Series(sessions)),
            collapse_repeats,
        )


def midnight_us(day: date) -> int:
    """Return when a day begins, µs since 1970 UTC."""
    return (day.toordinal() - _EPOCH) * MICROSECONDS_PER_DAY


def stitch(
    by_day_dir: Path,
    days: Sequence[date],
    item_codes: ItemCodes,
    lasting: LastingSessions,
    *,
    gap_minutes: float,
    collapse_repeats: bool,
    type_codes: EventTypeCodes | None = None,
) -> Iterator[WholeSessions]:
    """Yield all sessions of some days, each once, as soon as nothing more can belong to them.

    Parameters
    ----------
    by_day_dir
        Holds ``date=YYYY-MM-DD.parquet`` a day.
    days
        The days to read, in order.
    item_codes
        Learns the items of these days.
    lasting
        The sessions of the log that occur on several of these days.
    gap_minutes
        Longest silence inside a session, minutes.
    collapse_repeats
        Keep only the first of consecutive events on one item. A repeat still keeps a session
        going; the session ends at the last event that is kept.
    type_codes
        Learns the types of the events, which the days then must have; None reads none.

    Yields
    ------
    WholeSessions
        One a row group of the days, and one of what is open at the end. Together with the
        sessions of a row group come those of earlier ones that it closed.

    Raises
    ------
    SessionsError
        If a file is missing or not whole, or a session of the log has two users.
    """
    gap_us = round(gap_minutes * MICROSECONDS_PER_MINUTE)
    no_types = None if type_codes is None else np.empty(0, dtype=np.uint16)
    still_open = _Open(replace(_NO_SESSIONS, event_type=no_types), np.empty(0, dtype=np.int32))
    for day in days:
        for batch in read_day(day_path(by_day_dir, day), event_types=type_codes is not None):
            joined = _join(still_open, batch, item_codes, lasting, gap_us, type_codes)
            # What comes next begins then or later, and on this day or later.
            next_us = (
                midnight_us(day) + MICROSECONDS_PER_DAY if batch.is_last else joined.last_start_us
            )
            next_day = day.toordinal() + batch.is_last
            stays = np.where(
                joined.names["session_id"].is_null().to_numpy(),
                joined.end_us + gap_us >= next_us,
                joined.last_day >= next_day,
            )
            yield joined.only(~stays, collapse_repeats)
            still_open = _Open(joined.only(stays, False), joined.last_day[stays])
    yield _finish(still_open.sessions, collapse_repeats)


def _finish(sessions: WholeSessions, collapse_repeats: bool) -> WholeSessions:
    return _joined_runs(
        sessions,
        sessions.offsets[:-1],
        np.diff(sessions.offsets),
        np.arange(len(sessions)),
        sessions.names,
        collapse_repeats,
    )


def _joined_runs(
    of: "WholeSessions | _Joined",
    first: np.ndarray,
    length: np.ndarray,
    session: np.ndarray,
    names: pl.DataFrame,
    collapse_repeats: bool,
) -> WholeSessions:
    """Make sessions of runs of events; see `join_runs`."""
    # Of an event with more to it than a time the number is joined, which finds the rest.
    time_us = of.time_us if of.event_type is None else np.arange(len(of.item))
    item, time_us, offsets = join_runs(
        of.item, time_us, first, length, session, len(names), collapse_repeats
    )
    if of.event_type is None:
        return WholeSessions(offsets, item, time_us, names, of.read_from_us)
    kept = time_us
    return WholeSessions(
        offsets, item, of.time_us[kept], names, of.read_from_us, of.event_type[kept]
    )


def _join(
    still_open: _Open,
    batch: DayBatch,
    item_codes: ItemCodes,
    lasting: LastingSessions,
    gap_us: int,
    type_codes: EventTypeCodes | None,
) -> _Joined:
    held = still_open.sessions
    names = pl.DataFrame(
        {
            name: pl.Series(ids.dictionary.take(ids.indices), dtype=pl.String)
            for name, ids in (("session_id", batch.session_id), ("user_id", batch.user_id))
        }
    )
    last_day = np.append(lasting.last_day_of(batch.session_id.dictionary), np.int32(_NOT_LASTING))[
        batch.session_id.indices.fill_null(_NOT_LASTING).to_numpy()
    ]
    start_us = batch.time_us[batch.offsets[:-1]]
    goes_on = _find_continued(held, names, start_us, last_day != _NOT_LASTING, gap_us)
    continued, continuing = goes_on["held"].to_numpy(), goes_on["row"].to_numpy()
    is_new = np.ones(len(names), dtype=bool)
    is_new[continuing] = False

    # Runs of the open sessions first, what continues one right after it, then the new sessions.
    n_held = len(held)
    of_held = np.argsort(np.concatenate([2 * np.arange(n_held), 2 * continued + 1]))
    batch_first = batch.offsets[:-1] + len(held.item)
    length = np.diff(batch.offsets)
    old_first = np.concatenate([held.offsets[:-1], batch_first[continuing]])[of_held]
    old_length = np.concatenate([np.diff(held.offsets), length[continuing]])[of_held]
    old_session = np.concatenate([np.arange(n_held), continued])[of_held]
    return _Joined(
        item=np.concatenate([held.item, item_codes.encode(batch.item_ids)[batch.item_code]]),
        time_us=np.concatenate([held.time_us, batch.time_us]),
        first=np.concatenate([old_first, batch_first[is_new]]),
        length=np.concatenate([old_length, length[is_new]]),
        session=np.concatenate([old_session, n_held + np.arange(is_new.sum())]),
        names=pl.concat([_name_users(held.names, goes_on), names.filter(pl.Series(is_new))]),
        last_day=np.concatenate([still_open.last_day, last_day[is_new]]),
        read_from_us=int(start_us[0]),
        last_start_us=int(start_us[-1]),
        event_type=_joined_types(held.event_type, batch, type_codes),
    )


def _joined_types(
    held: np.ndarray | None, batch: DayBatch, type_codes: EventTypeCodes | None
) -> np.ndarray | None:
    if held is None or batch.event_type is None or type_codes is None:
        return None
    return np.concatenate([held, type_codes.encode(batch.event_type)])


def _find_continued(
    held: WholeSessions,
    names: pl.DataFrame,
    start_us: np.ndarray,
    lasts: np.ndarray,
    gap_us: int,
) -> pl.DataFrame:
    """Pair open sessions (`held`) with those that go on with them (`row`, and their `user`)."""
    rows = names.lazy().with_columns(row=pl.int_range(pl.len()), start_us=pl.Series(start_us))
    end_us = held.end_us
    before = held.names.lazy().with_columns(held=pl.int_range(pl.len()), end_us=pl.Series(end_us))
    # Few can go on, and joining on texts is dear.
    latest_us = int(end_us.max(initial=0)) + gap_us
    of_users = (
        rows.filter(pl.col("session_id").is_null() & (pl.col("start_us") <= latest_us))
        .join(before.filter(pl.col("session_id").is_null()), on="user_id")
        .filter(pl.col("start_us") - pl.col("end_us") <= gap_us)
    )
    found = [of_users]
    if lasts.any():
        found.append(rows.filter(pl.Series(lasts)).join(before, on="session_id"))
    return pl.concat(pairs.select("held", "row", user="user_id") for pairs in found).collect()


def _name_users(names: pl.DataFrame, goes_on: pl.DataFrame) -> pl.DataFrame:
    """Give sessions of the log the user that a later day names, if no day before did."""
    if goes_on.is_empty():
        return names
    later = names.with_columns(held=pl.int_range(pl.len())).join(
        goes_on, on="held", how="left", maintain_order="left"
    )
    clash = later.filter(pl.col("user_id") != pl.col("user")).sort("session_id")
    if clash.height:
        session_id, one, other = clash.select("session_id", "user_id", "user").row(0)
        raise shared_session(session_id, min(one, other), max(one, other))
    return later.select("session_id", pl.coalesce("user_id", "user").alias("user_id"))
