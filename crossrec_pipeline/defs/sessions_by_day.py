"""In: days of events that have passed their checks. Out: their sessions, by the engine chosen."""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from crossrec_pipeline.sessions.day_files import day_path
from crossrec_pipeline.sessions.days import sessionise_day
from crossrec_pipeline.settings import Settings


def sessionise(
    context: dg.AssetExecutionContext, settings: Settings, days: Sequence[date]
) -> Iterator[date]:
    """Write the sessions of days, and yield each day when it is done."""
    for n, day in enumerate(days, start=1):
        done = sessionise_day(
            settings.events_dir / f"date={day}",
            day_path(settings.sessions_by_day_dir, day),
            settings.sessions.gap_minutes,
            memory_limit=settings.sessions.memory_limit,
        )
        context.log.info(f"{day}: {done.n_sessions:,} sessions ({n} of {len(days)} days)")
        yield day
