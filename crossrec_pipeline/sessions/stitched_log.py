"""In: sessions by day. Out: whole sessions on disk, to be read several times, and their counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.sessions.day_files import day_path, require_about
from crossrec_pipeline.sessions.event_inputs import EventTypeCodes
from crossrec_pipeline.sessions.item_codes import ItemCodes
from crossrec_pipeline.sessions.lasting_sessions import find_lasting_sessions
from crossrec_pipeline.sessions.scratch import ScratchFile
from crossrec_pipeline.sessions.split import HOUR_US
from crossrec_pipeline.sessions.stitch import stitch
from crossrec_pipeline.settings import SessionSettings

_EVENTS = {"item": pa.int32(), "time_us": pa.int64()}
_EVENT_TYPE = {"event_type": pa.uint16()}
_SESSIONS = {
    "length": pa.int64(),
    "start_us": pa.int64(),
    "end_us": pa.int64(),
    "session_id": pa.large_string(),
    "user_id": pa.large_string(),
}


@dataclass(frozen=True)
class StitchedLog:
    """All sessions of a log, whole, in batches on disk.

    Attributes
    ----------
    item_codes
        Codes of the items.
    n_events, n_unattributed
        Events of the log, and those left out because they have neither a session id nor a user id.
    n_repeats
        Events left out because they repeat the item just before them in their session.
    n_sessions
        Sessions of any length.
    longest
        Events of the longest session.
    n_events_by_hour
        Events of the sessions by hour, hours counted from 1970; hours without any are left out.
    read_from_us
        Growing times that cut the sessions' starts about as finely as the log was read, int64.
    event_types
        What kinds of events there are, by number from 1 on; None where they are not asked for.
    """

    item_codes: ItemCodes
    n_events: int
    n_unattributed: int
    n_repeats: int
    n_sessions: int
    longest: int
    n_events_by_hour: dict[int, int]
    read_from_us: np.ndarray
    event_types: tuple[str, ...] | None
    _events: ScratchFile
    _sessions: ScratchFile
    _spans_us: list[tuple[int, int]]

    @property
    def n_batches(self) -> int:
        """Number of batches; none is empty."""
        return len(self._spans_us)

    def lengths(self, batch: int) -> np.ndarray:
        """Return the number of events of each session, int64 [n_sessions]."""
        return self._sessions.read(batch, ["length"])[0]

    def bounds_us(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the times of each session's first and last event, int64 [n_sessions]."""
        start_us, end_us = self._sessions.read(batch, ["start_us", "end_us"])
        return start_us, end_us

    def names(self, batch: int) -> pl.DataFrame:
        """Return `session_id` (null where the session comes from the gap) and `user_id`."""
        columns = ["session_id", "user_id"]
        return pl.DataFrame(dict(zip(columns, self._sessions.read(batch, columns), strict=True)))

    def items(self, batch: int) -> np.ndarray:
        """Return the item code of each event, session after session, int32 [n_events]."""
        return self._events.read(batch, ["item"])[0]

    def times_us(self, batch: int) -> np.ndarray:
        """Return the time of each event, session after session, int64 [n_events]."""
        return self._events.read(batch, ["time_us"])[0]

    def types(self, batch: int) -> np.ndarray:
        """Return the number of each event's type, where types are asked for, uint16 [n_events]."""
        return self._events.read(batch, ["event_type"])[0]

    def times_of_hour_us(self, hour: int) -> np.ndarray:
        """Return the times of an hour's events in any order, hours counted from 1970, int64."""
        begin_us, end_us = hour * HOUR_US, (hour + 1) * HOUR_US
        found = [np.empty(0, dtype=np.int64)]
        for batch, (first_us, last_us) in enumerate(self._spans_us):
            if first_us < end_us and last_us >= begin_us:
                times_us = self.times_us(batch)
                found.append(times_us[(times_us >= begin_us) & (times_us < end_us)])
        return np.concatenate(found)


def stitch_log(
    by_day_dir: Path,
    days: Sequence[date],
    catalogue_ids: pl.Series,
    settings: SessionSettings,
    scratch: Path,
    memory_limit_bytes: int,
    progress: Progress | None = None,
) -> StitchedLog:
    """Stitch the sessions of some days and keep them on disk.

    Parameters
    ----------
    by_day_dir
        Holds ``date=YYYY-MM-DD.parquet`` a day.
    days
        Which to read.
    catalogue_ids
        Item ids of the catalogue.
    settings
        The gap, whether repeats collapse, and whether types of events are kept, are used.
    scratch
        An existing directory for the batches, about 14 bytes an event and 70 a session.
    memory_limit_bytes
        About what is held in memory besides a row group of a day.
    progress
        Told about every twentieth of the log.

    Raises
    ------
    SessionsError
        If there are no days, no events, none with a session id or a user id, a file is missing or
        not whole, was built with another gap or without the types of its events, or a session of
        the log has two users.
    """
    days = sorted(days)
    abouts = {day: require_about(day_path(by_day_dir, day)) for day in days}
    n_events = sum(about.n_events for about in abouts.values())
    n_unattributed = sum(about.n_unattributed for about in abouts.values())
    if n_events == 0:
        raise SessionsError(
            f"{by_day_dir} holds no events in {len(days)} day(s). Look into the rejected events "
            "for the reasons, or point CROSSREC_EVENTS at another log."
        )
    if n_unattributed == n_events:
        raise SessionsError(
            f"None of the {n_events} events has a session_id or a user_id, so they cannot be "
            "grouped into sessions. Name the log's column in CROSSREC_EVENT_COLUMNS, for "
            """example '{"user_id": "customer"}'."""
        )
    for day, about in abouts.items():
        if about.gap_minutes != settings.gap_minutes:
            raise SessionsError(
                f"{day_path(by_day_dir, day)} was built with a gap of {about.gap_minutes:g} "
                f"minutes, not {settings.gap_minutes:g}. Rebuild that day of sessions/by_day."
            )
        if settings.event_inputs and not about.event_types:
            raise SessionsError(
                f"{day_path(by_day_dir, day)} was built without the types of its events, which "
                "CROSSREC_SESSIONS__EVENT_INPUTS=true asks for. Rebuild that day of "
                "sessions/by_day."
            )

    item_codes = ItemCodes(catalogue_ids)
    type_codes = EventTypeCodes() if settings.event_inputs else None
    lasting = find_lasting_sessions(by_day_dir, days, scratch, memory_limit_bytes)
    n_kept = n_sessions = longest = 0
    next_report = n_events // 20
    n_by_hour: dict[int, int] = {}
    read_from_us: list[int] = []
    spans_us: list[tuple[int, int]] = []
    columns = _EVENTS if type_codes is None else {**_EVENTS, **_EVENT_TYPE}
    events = ScratchFile(scratch / "events.arrow", columns)
    sessions = ScratchFile(scratch / "sessions.arrow", _SESSIONS)
    with events, sessions:
        for whole in stitch(
            by_day_dir,
            days,
            item_codes,
            lasting,
            gap_minutes=settings.gap_minutes,
            collapse_repeats=settings.collapse_repeats,
            type_codes=type_codes,
        ):
            if len(whole) == 0:
                continue
            types = {} if whole.event_type is None else {"event_type": whole.event_type}
            events.append({"item": whole.item, "time_us": whole.time_us, **types})
            sessions.append(
                {
                    "length": np.diff(whole.offsets),
                    "start_us": whole.start_us,
                    "end_us": whole.end_us,
                    "session_id": whole.names["session_id"],
                    "user_id": whole.names["user_id"],
                }
            )
            n_kept += len(whole.item)
            n_sessions += len(whole)
            longest = max(longest, int(np.diff(whole.offsets).max()))
            spans_us.append((int(whole.start_us.min()), int(whole.end_us.max())))
            read_from_us.append(whole.read_from_us)
            _count_hours(whole.time_us, n_by_hour)
            if progress is not None and n_kept >= next_report:
                progress(f"{n_kept:,} events are in {n_sessions:,} sessions")
                next_report = n_kept + n_events // 20
    return StitchedLog(
        item_codes=item_codes,
        n_events=n_events,
        n_unattributed=n_unattributed,
        n_repeats=n_events - n_unattributed - n_kept,
        n_sessions=n_sessions,
        longest=longest,
        n_events_by_hour=n_by_hour,
        read_from_us=np.unique(np.array(read_from_us, dtype=np.int64)),
        event_types=None if type_codes is None else type_codes.names,
        _events=events,
        _sessions=sessions,
        _spans_us=spans_us,
    )


def _count_hours(times_us: np.ndarray, n_by_hour: dict[int, int]) -> None:
    hours = times_us // HOUR_US
    first = int(hours.min())
    counts = np.bincount(hours - first)
    for place in np.flatnonzero(counts):
        hour = first + int(place)
        n_by_hour[hour] = n_by_hour.get(hour, 0) + int(counts[place])
