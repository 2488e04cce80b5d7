"""The rules of sessions in plain Python, one event after the other: what engines are held to."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

DAY_US = 86_400_000_000


class LogRow(NamedTuple):
    """An event, as the log has it."""

    session_id: str | None
    user_id: str | None
    item_id: str
    time_us: int
    log_order: int

    @property
    def date(self) -> str:
        """The day of the event, UTC."""
        return str((datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.time_us)).date())


class SessionRow(NamedTuple):
    """An event in its session: the columns of `SESSION_EVENTS`."""

    session_id: str | None
    user_id: str | None
    start_us: int
    position: int
    item_id: str
    time_us: int
    log_order: int


def sessions_of(log: Iterable[LogRow], gap_us: int) -> list[SessionRow]:
    """Return the sessions of a log in the order of their files."""
    attributed = [row for row in log if row.session_id is not None or row.user_id is not None]
    owners: dict[str, str] = {}
    for row in attributed:
        if row.session_id is not None and row.user_id is not None:
            owners[row.session_id] = min(owners.get(row.session_id, row.user_id), row.user_id)
    streams: dict[Any, list[LogRow]] = defaultdict(list)
    for row in attributed:
        owner = row.user_id if row.session_id is None else owners.get(row.session_id)
        streams[row.session_id, row.user_id if row.user_id is not None else owner].append(row)
    rows = []
    for (session_id, user_id), stream in streams.items():
        for session in _cut(stream, gap_us if session_id is None else None):
            start_us = session[0].time_us
            rows += [
                SessionRow(session_id, user_id, start_us, position, *row[2:])
                for position, row in enumerate(session)
            ]
    return sorted(rows, key=_file_order)


def sessions_by_date(log: Sequence[LogRow], gap_us: int) -> dict[str, list[SessionRow]]:
    """Return the sessions of each day of a log, cut at midnight."""
    days: dict[str, list[LogRow]] = defaultdict(list)
    for row in log:
        days[row.date].append(row)
    return {day: sessions_of(rows, gap_us) for day, rows in days.items()}


def _cut(stream: list[LogRow], gap_us: int | None) -> list[list[LogRow]]:
    ordered = sorted(stream, key=lambda row: (row.time_us, row.log_order, row.item_id))
    sessions = [[ordered[0]]]
    for row in ordered[1:]:
        if gap_us is not None and row.time_us - sessions[-1][-1].time_us > gap_us:
            sessions.append([])
        sessions[-1].append(row)
    return sessions


def _file_order(row: SessionRow) -> tuple[Any, ...]:
    return (
        row.start_us,
        (row.session_id is not None, row.session_id or ""),
        (row.user_id is not None, row.user_id or ""),
        row.position,
    )
