"""In: days of events that have passed their checks. Out: their sessions, by the engine chosen."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import dagster as dg

from crossrec_pipeline.defs.spark import ROWS_CHECK, SparkRun, sessionise_days_on_spark
from crossrec_pipeline.digests import files_digest
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.deliveries import published_days
from crossrec_pipeline.sessions.day_files import day_path, read_about
from crossrec_pipeline.sessions.days import sessionise_day
from crossrec_pipeline.sessions.engines import duckdb, polars
from crossrec_pipeline.sessions.memory_limit import memory_limit_bytes
from crossrec_pipeline.settings import Settings


def sessionise_changed(
    context: dg.AssetExecutionContext, settings: Settings, key: dg.AssetKey
) -> None:
    """Write the sessions of the days of a whole log whose events, or whose gap, have changed."""
    days = published_days(settings.events_dir)
    changed = [day for day in days if not _is_up_to_date(settings, day)]
    for day in sessionise(context, settings, changed, key):
        context.log.debug(f"{day}: sessions made by {settings.sessions.engine}")


def sessionise(
    context: dg.AssetExecutionContext, settings: Settings, days: Sequence[date], key: dg.AssetKey
) -> Iterator[date]:
    """Write the sessions of days, and yield each day when it is done.

    Spark makes all days in one job, which is observed at the asset. A day without events is nothing
    to ask an engine for.

    Raises
    ------
    SessionsError
        If the engine fails, or events are lost on the way.
    """
    with_events = [day for day in days if any(_parts(settings, day))]
    if settings.sessions.engine == "pyspark" and with_events:
        _report(context, sessionise_days_on_spark(context, settings, with_events), key)
    for day in days:
        if day not in with_events:
            _with_arrays(settings, day)
        elif settings.sessions.engine != "pyspark":
            _ENGINES[settings.sessions.engine](settings, day)
        yield day


def _report(context: dg.AssetExecutionContext, made: SparkRun, key: dg.AssetKey) -> None:
    """Show what a job of Spark has made, and whether each event is accounted for."""
    check = made.rows_check(key)
    context.log_event(dg.AssetObservation(key, metadata=made.metadata()))
    evaluation = dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=ROWS_CHECK,
        passed=check.passed,
        metadata=check.metadata,
        description=check.description,
    )
    # Taken as the others are, though its type does not say so.
    context.log_event(evaluation)  # pyright: ignore[reportArgumentType]
    if not check.passed:
        lost = check.metadata["events lost, by day"].value
        raise SessionsError(
            f"Spark {made.spark_version} has lost events of some days ({lost}). Build them again, "
            "or with CROSSREC_SESSIONS__ENGINE=arrays."
        )


def _with_arrays(settings: Settings, day: date) -> None:
    sessionise_day(
        settings.events_dir / f"date={day}",
        day_path(settings.sessions_by_day_dir, day),
        settings.sessions.gap_minutes,
        memory_limit=settings.sessions.memory_limit,
        event_types=settings.sessions.event_inputs,
    )


def _with_duckdb(settings: Settings, day: date) -> None:
    duckdb.sessionise_days(
        settings.events_dir,
        [day],
        settings.sessions_by_day_dir,
        settings.sessions.gap_minutes,
        f"{memory_limit_bytes(settings.sessions.memory_limit) // 10**6}MB",
        _ignore,
        event_types=settings.sessions.event_inputs,
    )


def _with_polars(settings: Settings, day: date) -> None:
    polars.sessionise_days(
        settings.events_dir,
        [day],
        settings.sessions_by_day_dir,
        settings.sessions.gap_minutes,
        _ignore,
        event_types=settings.sessions.event_inputs,
    )


def _ignore(line: str) -> None:
    """Say nothing: each day is reported by whoever asked for it."""


_ENGINES = {"arrays": _with_arrays, "duckdb": _with_duckdb, "polars": _with_polars}


def _parts(settings: Settings, day: date) -> list[Path]:
    return sorted((settings.events_dir / f"date={day}").glob("part-*.parquet"))


def _is_up_to_date(settings: Settings, day: date) -> bool:
    about = read_about(day_path(settings.sessions_by_day_dir, day))
    sessions = settings.sessions
    return about is not None and about.is_of(
        files_digest(_parts(settings, day)), sessions.gap_minutes, sessions.event_inputs
    )
