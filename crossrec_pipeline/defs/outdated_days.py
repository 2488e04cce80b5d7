"""In: what a growing log was delivered, and its days on disk. Out: the days to make again."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from crossrec_pipeline.digests import frame_digest, json_digest
from crossrec_pipeline.interactions.day_verdicts import DayVerdict, read_verdicts
from crossrec_pipeline.interactions.deliveries import known_days, published_days, stale_days
from crossrec_pipeline.interactions.deliveries.ledger import read_ledger
from crossrec_pipeline.sessions.day_files import day_path, read_about
from crossrec_pipeline.sessions.schema import EVENT_TYPE
from crossrec_pipeline.settings import Settings

EARLIEST_DAY = date(1970, 1, 1)
"""Events before it are left out: nobody logged them, a clock was wrong."""


def today() -> date:
    """Return the day it is, UTC."""
    return datetime.now(UTC).date()


def first_day(settings: Settings) -> date:
    """Return the first day of a growing log: that of the settings, or the first one delivered.

    Only the ledger is read. Before there is one, the log begins today.
    """
    if settings.log.first_day is not None:
        return settings.log.first_day
    days = (day for day in known_days(settings.deliveries_dir) if day >= EARLIEST_DAY)
    return min(days, default=today())


def log_days(settings: Settings) -> tuple[date, ...]:
    """List the days of the log in order: those delivered, and those published of what is gone.

    A day that has not begun waits, staged: whether its events are from the future is not known.
    """
    days = {*known_days(settings.deliveries_dir), *published_days(settings.events_dir)}
    first = first_day(settings)
    return tuple(day for day in sorted(days) if first <= day <= today())


def days_in_use(settings: Settings) -> dict[date, DayVerdict]:
    """Read what is known of the days that the sessions are made of, in order.

    They are those that have events, from the first day of the log on; where the settings name a
    window, the last days of it alone.
    """
    first = first_day(settings)
    days = {
        day: verdict
        for day, verdict in read_verdicts(settings.day_verdicts_dir).items()
        if day >= first and verdict.n_events
    }
    if not days or settings.log.window_days is None:
        return days
    after = max(days) - timedelta(days=settings.log.window_days)
    return {day: verdict for day, verdict in days.items() if day > after}


def days_version(settings: Settings) -> str:
    """Digest the content of the days that the sessions are made of."""
    days = days_in_use(settings)
    return json_digest([[str(day), verdict.version] for day, verdict in days.items()])


def outdated_days(settings: Settings, items: pl.DataFrame) -> tuple[date, ...]:
    """List the days whose events or sessions are not what they would be if made now.

    Parameters
    ----------
    items
        The catalogue; needs item_id.

    Returns
    -------
    tuple of date
        In order. A day that its checks refused is among them: bounds may be others by now.
    """
    days = log_days(settings)
    stale = stale_events(settings, items, days)
    verdicts = read_verdicts(settings.day_verdicts_dir)

    def is_outdated(day: date) -> bool:
        verdict = verdicts.get(day)
        return (
            day in stale
            or verdict is None
            or verdict.passed is not True
            or not sessions_are_current(settings, day, verdict)
        )

    return tuple(filter(is_outdated, days))


def stale_events(settings: Settings, items: pl.DataFrame, days: Iterable[date]) -> set[date]:
    """Return the days that are not published of what was delivered, or with another catalogue."""
    directories = settings.deliveries_dir, settings.events_dir
    return set(stale_days(days, items, *directories, datetime.now(UTC)))


def outdated_state(settings: Settings, items: pl.DataFrame, days: Sequence[date]) -> str:
    """Digest what puts days out of date: while it is the same, building them fails again."""
    return json_digest(
        [
            [str(day) for day in days],
            read_ledger(settings.deliveries_dir).version(),
            frame_digest(items.select("item_id")),
            str(settings.quality),
            settings.sessions.gap_minutes,
            *([EVENT_TYPE] if settings.sessions.event_inputs else []),
        ]
    )


def sessions_are_current(settings: Settings, day: date, verdict: DayVerdict) -> bool:
    """Say whether the sessions of a day were made of its events as they are, and with this gap."""
    about = read_about(day_path(settings.sessions_by_day_dir, day))
    sessions = settings.sessions
    return about is not None and about.is_of(
        verdict.files, sessions.gap_minutes, sessions.event_inputs
    )


def day_ranges(days: Iterable[date], of: Iterable[date]) -> list[tuple[date, date]]:
    """Group days into ranges, first and last day: what lies between two days of `of` splits none.

    Parameters
    ----------
    days
        Some of `of`.
    of
        All days of the log: a week without events need not begin another run.
    """
    wanted, ranges, before = set(days), [], None
    for day in sorted(of):
        if day not in wanted:
            before = None
            continue
        if before is None:
            ranges.append((day, day))
        else:
            ranges[-1] = (ranges[-1][0], day)
        before = day
    return ranges
