"""In: days of events that have passed their checks. Out: their sessions, by the engine chosen."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import dagster as dg

from crossrec_pipeline.defs.spark import sessionise_days_on_spark
from crossrec_pipeline.digests import files_digest
from crossrec_pipeline.interactions.deliveries import published_days
from crossrec_pipeline.sessions.day_files import day_path, read_about
from crossrec_pipeline.sessions.days import sessionise_day
from crossrec_pipeline.sessions.engines import duckdb, polars
from crossrec_pipeline.sessions.memory_limit import memory_limit_bytes
from crossrec_pipeline.settings import Settings


def sessionise_changed(context: dg.AssetExecutionContext, settings: Settings) -> None:
    """Write the sessions of the days of a whole log whose events, or whose gap, have changed."""
    days = published_days(settings.events_dir)
    changed = [day for day in days if not _is_up_to_date(settings, day)]
    for day in sessionise(context, settings, changed):
        context.log.debug(f"{day}: sessions made by {settings.sessions.engine}")


def sessionise(
    context: dg.AssetExecutionContext, settings: Settings, days: Sequence[date]
) -> Iterator[date]:
    """Write the sessions of days, and yield each day when it is done.

    Spark makes all days in one job. A day without events is nothing to ask an engine for.
    """
    with_events = [day for day in days if any(_parts(settings, day))]
    if settings.sessions.engine == "pyspark" and with_events:
        made = sessionise_days_on_spark(context, settings, with_events)
        context.log.info(f"{len(made.days)} days made by Spark {made.spark_version}")
    for day in days:
        if day not in with_events:
            _with_arrays(settings, day)
        elif settings.sessions.engine != "pyspark":
            _ENGINES[settings.sessions.engine](settings, day)
        yield day


def _with_arrays(settings: Settings, day: date) -> None:
    sessionise_day(
        settings.events_dir / f"date={day}",
        day_path(settings.sessions_by_day_dir, day),
        settings.sessions.gap_minutes,
        memory_limit=settings.sessions.memory_limit,
    )


def _with_duckdb(settings: Settings, day: date) -> None:
    duckdb.sessionise_days(
        settings.events_dir,
        [day],
        settings.sessions_by_day_dir,
        settings.sessions.gap_minutes,
        f"{memory_limit_bytes(settings.sessions.memory_limit) // 10**6}MB",
        _ignore,
    )


def _with_polars(settings: Settings, day: date) -> None:
    polars.sessionise_days(
        settings.events_dir,
        [day],
        settings.sessions_by_day_dir,
        settings.sessions.gap_minutes,
        _ignore,
    )


def _ignore(line: str) -> None:
    """Say nothing: each day is reported by whoever asked for it."""


_ENGINES = {"arrays": _with_arrays, "duckdb": _with_duckdb, "polars": _with_polars}


def _parts(settings: Settings, day: date) -> list[Path]:
    return sorted((settings.events_dir / f"date={day}").glob("part-*.parquet"))


def _is_up_to_date(settings: Settings, day: date) -> bool:
    about = read_about(day_path(settings.sessions_by_day_dir, day))
    return (
        about is not None
        and about.gap_minutes == settings.sessions.gap_minutes
        and about.events_digest == files_digest(_parts(settings, day))
    )
