"""A log by day in; the store of sessions out, as the pipeline makes it, by any of its engines."""

import tempfile
from datetime import date
from pathlib import Path

import polars as pl

from crossrec_pipeline.sessions.assemble import assemble
from crossrec_pipeline.sessions.day_files import list_days
from crossrec_pipeline.sessions.days import bring_up_to_date
from crossrec_pipeline.sessions.memory_limit import memory_limit_bytes
from crossrec_pipeline.settings import SessionSettings, SplitSettings


def build(
    engine: str,
    events: Path,
    items: Path,
    target: Path,
    sessions: SessionSettings,
    split: SplitSettings,
    memory_limit: str,
) -> None:
    """Make the days by one engine, and the store of them."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        by_day = Path(folder)
        _DAYS_BY[engine](events, by_day, sessions.gap_minutes, memory_limit)
        days, catalogue = list_days(by_day), pl.read_parquet(items)
        assemble(by_day, days, catalogue, sessions, split, target, memory_limit)


def _with_arrays(events: Path, by_day: Path, gap_minutes: float, memory_limit: str) -> None:
    """Make the days by the default engine."""
    bring_up_to_date(events, by_day, gap_minutes, memory_limit=memory_limit)


def _with_duckdb(events: Path, by_day: Path, gap_minutes: float, memory_limit: str) -> None:
    """Make the days by the expression, in DuckDB."""
    from crossrec_pipeline.sessions.engines.duckdb import sessionise_days

    sessionise_days(events, _days(events), by_day, gap_minutes, memory_limit, _say_nothing)


def _with_polars(events: Path, by_day: Path, gap_minutes: float, memory_limit: str) -> None:
    """Make the days by the expression, in polars, which knows no limit."""
    from crossrec_pipeline.sessions.engines.polars import sessionise_days

    sessionise_days(events, _days(events), by_day, gap_minutes, _say_nothing)


def _with_pyspark(events: Path, by_day: Path, gap_minutes: float, memory_limit: str) -> None:
    """Make the days by the expression, in a Spark of this machine."""
    from crossrec_pipeline.sessions.engines.exchange import exchange_in_place
    from crossrec_pipeline.sessions.engines.spark import sessionise_days
    from crossrec_pipeline.sessions.engines.spark_session import spark_session

    with (
        exchange_in_place(events, by_day) as exchange,
        spark_session("local[*]", memory_limit_bytes(memory_limit)) as spark,
    ):
        days = _days(events)
        sessionise_days(spark, events, days, exchange, by_day, gap_minutes, _say_nothing)


def _days(events: Path) -> list[date]:
    names = (folder.name for folder in events.glob("date=*"))
    return sorted(date.fromisoformat(name.removeprefix("date=")) for name in names)


def _say_nothing(line: str) -> None:
    """Take a line of progress."""


_DAYS_BY = {
    "arrays": _with_arrays,
    "duckdb": _with_duckdb,
    "polars": _with_polars,
    "pyspark": _with_pyspark,
}
