"""DuckDB and polars on the days of a log: files, counts and errors."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.engines import duckdb, polars
from crossrec_pipeline.sessions.engines.day_files import DayCounts
from crossrec_pipeline.sessions.schema import SESSION_EVENTS
from crossrec_pipeline_tests.sessions import session_rules as rules
from crossrec_pipeline_tests.sessions.engines.random_logs import (
    FIRST_DAY,
    GAP_MINUTES,
    GAP_US,
    days_of,
    random_log,
    write_log,
)

Sessionise = Callable[[Path, Sequence[date], Path], list[DayCounts]]


def _by_duckdb(events_dir: Path, days: Sequence[date], target_dir: Path) -> list[DayCounts]:
    limit = "100MB"
    return duckdb.sessionise_days(events_dir, days, target_dir, GAP_MINUTES, limit, lambda _: None)


def _by_polars(events_dir: Path, days: Sequence[date], target_dir: Path) -> list[DayCounts]:
    return polars.sessionise_days(events_dir, days, target_dir, GAP_MINUTES, lambda _: None)


ENGINES = pytest.mark.parametrize("sessionise", [_by_duckdb, _by_polars], ids=["duckdb", "polars"])


@ENGINES
@pytest.mark.parametrize("seed", range(5))
def test_files_hold_the_sessions_of_each_day_in_order(sessionise: Sessionise, seed, tmp_path):
    log = random_log(seed)
    counts = sessionise(write_log(log, tmp_path / "events"), days_of(log), tmp_path / "made")
    expected = rules.sessions_by_date(log, GAP_US)
    for count in counts:
        made = pl.read_parquet(tmp_path / "made" / f"date={count.day}.parquet")
        assert dict(made.schema) == SESSION_EVENTS
        assert made.rows() == expected[str(count.day)]
        n_events = sum(row.date == str(count.day) for row in log)
        assert count.events_in == n_events == count.events_out + count.unattributed
    assert [str(count.day) for count in counts] == sorted(expected)


@ENGINES
def test_only_the_days_asked_for_are_made(sessionise: Sessionise, tmp_path):
    log = random_log(0)
    sessionise(write_log(log, tmp_path / "events"), days_of(log)[1:2], tmp_path / "made")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["date=2023-01-02.parquet"]


@ENGINES
def test_day_without_events_is_refused_and_those_before_it_stay(sessionise: Sessionise, tmp_path):
    log = random_log(0)
    events_dir = write_log(log, tmp_path / "events")
    with pytest.raises(SessionsError, match="date=2022-12-31 holds no events"):
        sessionise(events_dir, [FIRST_DAY, date(2022, 12, 31)], tmp_path / "made")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["date=2023-01-01.parquet"]


@ENGINES
def test_day_of_events_without_ids_gives_an_empty_file(sessionise: Sessionise, tmp_path):
    log = [rules.LogRow(None, None, "x", 0, 0)]
    counts = sessionise(write_log(log, tmp_path / "events"), days_of(log), tmp_path / "made")
    assert counts == [DayCounts(date(1970, 1, 1), events_in=1, events_out=0, unattributed=1)]
    assert pl.read_parquet(tmp_path / "made").is_empty()
