"""The job of Spark that Dagster starts: what it makes, reports and says when it fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from crossrec_pipeline.defs import sessions_by_day
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.sessions_by_day import sessionise
from crossrec_pipeline.defs.spark import ROWS_CHECK, SparkRun
from crossrec_pipeline.sessions.day_files import DaySessions, day_path
from crossrec_pipeline.sessions.engines.spark import SparkDay
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.sessions import session_rules as rules
from crossrec_pipeline_tests.sessions.engines.random_logs import (
    FIRST_DAY,
    GAP_MINUTES,
    GAP_US,
    days_of,
    random_log,
    write_log,
)
from crossrec_pipeline_tests.sessions.engines.spark_here import NEEDS_SPARK

LOG = random_log(5)
KEY = dg.AssetKey(["sessions", "by_day"])

# Dagster says so of what its own Pipes use.
pytestmark = [
    *NEEDS_SPARK,
    pytest.mark.filterwarnings("ignore:AssetExecutionContext.run_id is deprecated"),
]


@dg.asset(key=KEY)
@reports_errors
def by_engine(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    assert list(sessionise(context, settings, days_of(LOG), KEY)) == days_of(LOG)
    return dg.MaterializeResult()


def _settings(data_dir: Path) -> Settings:
    sessions = {
        "engine": "pyspark",
        "gap_minutes": GAP_MINUTES,
        "spark_master": "local[1]",
        "memory_limit": "1GB",
    }
    settings = load_settings(data_dir=data_dir, sessions=sessions)
    write_log(LOG, settings.events_dir)
    return settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return _settings(tmp_path)


@dataclass(frozen=True)
class Made:
    """What one job of Spark has made of the log, and what Dagster was told of it."""

    by_day_dir: Path
    result: dg.ExecuteInProcessResult
    shown: Mapping[str, dg.MetadataValue]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    settings = _settings(tmp_path_factory.mktemp("spark"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([by_engine], instance=instance, resources={"settings": settings})
        (observed,) = instance.fetch_observations(KEY, limit=10).records
    assert observed.asset_observation is not None
    return Made(settings.sessions_by_day_dir, result, observed.asset_observation.metadata)


def test_days_are_written_counted_and_checked(made: Made):
    expected = rules.sessions_by_date(LOG, GAP_US)
    for day in days_of(LOG):
        assert pl.read_parquet(day_path(made.by_day_dir, day)).rows() == expected[str(day)]
    assert made.shown["rows by day"].value == {day: len(rows) for day, rows in expected.items()}
    assert made.shown["events read"].value == len(LOG)
    (check,) = made.result.get_asset_check_evaluations()
    assert check.passed
    assert [path.name for path in made.by_day_dir.iterdir() if path.is_dir()] == []


def test_failure_in_the_job_is_dagsters_failure_in_its_own_words(settings):
    part = settings.events_dir / f"date={FIRST_DAY}" / "part-0.parquet"
    damaged = bytearray(part.read_bytes())
    damaged[4:40] = b"\xff" * 36
    part.write_bytes(damaged)
    result = dg.materialize([by_engine], resources={"settings": settings}, raise_on_error=False)
    failure = result.failure_data_for_node("sessions__by_day")
    assert failure is not None
    assert failure.user_failure_data is not None
    said = failure.user_failure_data.description
    assert said is not None
    assert said.startswith(f"Spark cannot make sessions of {settings.events_dir.as_uri()}: ")
    assert "\n" not in said
    assert not list(settings.sessions_by_day_dir.glob("date=*"))


def test_check_names_the_days_that_lost_events():
    about = DaySessions("digest", 30.0, 10, 3, 2, 0)
    days = [SparkDay(date(2023, 1, 1), about, 3), SparkDay(date(2023, 1, 2), about, 1)]
    check = SparkRun("4.0", days).rows_check(KEY)
    # 10 events, 7 in sessions, 1 without ids: 2 are nowhere.
    assert not check.passed
    assert check.metadata["events lost, by day"].value == {"2023-01-02": 2}


def test_what_spark_made_is_shown_at_the_asset(made: Made):
    assert str(made.shown["engine"].value).startswith("Spark 4.")
    assert made.shown["days"].value == len(days_of(LOG))
    (check,) = made.result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == (ROWS_CHECK, True)


def test_lost_events_end_the_step(settings, monkeypatch):
    about = DaySessions("digest", 30.0, 10, 3, 2, 0)
    short = SparkRun("4.0", [SparkDay(date(2023, 1, 2), about, 1)])
    monkeypatch.setattr(sessions_by_day, "sessionise_days_on_spark", lambda *_: short)
    result = dg.materialize([by_engine], resources={"settings": settings}, raise_on_error=False)
    failure = result.failure_data_for_node("sessions__by_day")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "has lost events of some days ({'2023-01-02': 2})" in str(
        failure.user_failure_data.description
    )
