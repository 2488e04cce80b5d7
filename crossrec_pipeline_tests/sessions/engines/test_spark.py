"""Spark on the days of a log, in this process and through Spark Connect."""

import os
import random
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import narwhals as nw
import polars as pl
import pytest

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.clean import REASONS, judge
from crossrec_pipeline.sessions.day_files import day_path
from crossrec_pipeline.sessions.engines import duckdb
from crossrec_pipeline.sessions.engines.exchange import exchange_in_place, exchange_through
from crossrec_pipeline.sessions.engines.spark import SparkDay, sessionise_days
from crossrec_pipeline.sessions.engines.spark_session import spark_session
from crossrec_pipeline.sessions.schema import SESSION_EVENTS
from crossrec_pipeline_tests.interactions.test_clean import KNOWN, LATEST_US, reasons_one_by_one
from crossrec_pipeline_tests.sessions import session_rules as rules
from crossrec_pipeline_tests.sessions.engines.random_logs import (
    FIRST_DAY,
    GAP_MINUTES,
    GAP_US,
    days_of,
    random_log,
    write_log,
)
from crossrec_pipeline_tests.sessions.engines.spark_here import (
    MASTER,
    MEMORY_BYTES,
    NEEDS_SPARK,
    connect_server,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = NEEDS_SPARK


@pytest.fixture(scope="module", params=["local", "connect"])
def spark(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["SparkSession"]:
    if request.param == "local":
        interrupts = signal.getsignal(signal.SIGINT)
        with spark_session(MASTER, MEMORY_BYTES) as session:
            yield session
        assert signal.getsignal(signal.SIGINT) is interrupts, "Spark's own fails without Spark"
        return
    log = tmp_path_factory.mktemp("connect") / "server.log"
    # PySpark notes in the environment that it talks to a server; other processes must not read it.
    with (
        mock.patch.dict(os.environ),
        connect_server(log) as master,
        spark_session(master, MEMORY_BYTES) as session,
    ):
        yield session


def _sessionise(
    spark: "SparkSession", events_dir: Path, days: list[date], lines: list[str] | None = None
) -> list[SparkDay]:
    target_dir = events_dir.parent / "made"
    say = ([] if lines is None else lines).append
    with exchange_in_place(events_dir, target_dir) as exchange:
        return sessionise_days(spark, events_dir, days, exchange, target_dir, GAP_MINUTES, say)


@pytest.mark.parametrize("seed", range(3))
def test_files_hold_the_sessions_of_each_day_in_order(spark, seed, tmp_path):
    log = random_log(seed)
    expected = rules.sessions_by_date(log, GAP_US)
    made = _sessionise(spark, write_log(log, tmp_path / "events"), days_of(log))
    assert [str(of.day) for of in made] == sorted(expected)
    for of in made:
        frame = pl.read_parquet(day_path(tmp_path / "made", of.day))
        assert dict(frame.schema) == SESSION_EVENTS
        assert frame.rows() == expected[str(of.day)]
        assert of.is_complete


def test_files_say_of_themselves_what_duckdb_says(spark, tmp_path):
    log = random_log(3)
    events_dir, days = write_log(log, tmp_path / "events"), days_of(log)
    lines: list[str] = []
    made = _sessionise(spark, events_dir, days, lines)
    assert [of.sessions for of in made] == duckdb.sessionise_days(
        events_dir, days, tmp_path / "duckdb", GAP_MINUTES, "100MB", lambda _: None
    )
    assert lines[0] == f"Spark {spark.version} has made 3 days"
    assert lines[1].startswith("2023-01-01: ")


def test_types_of_events_are_those_of_duckdb(spark, tmp_path):
    log = random_log(5)
    events_dir, days = write_log(log, tmp_path / "events"), days_of(log)
    with exchange_in_place(events_dir, tmp_path / "made") as exchange:
        made = sessionise_days(
            spark,
            events_dir,
            days,
            exchange,
            tmp_path / "made",
            GAP_MINUTES,
            lambda _: None,
            event_types=True,
        )
    expected = duckdb.sessionise_days(
        events_dir,
        days,
        tmp_path / "duckdb",
        GAP_MINUTES,
        "100MB",
        lambda _: None,
        event_types=True,
    )
    assert [of.sessions for of in made] == expected
    for day in days:
        frame = pl.read_parquet(day_path(tmp_path / "made", day))
        assert frame.columns[-1] == "event_type"
        assert frame.equals(pl.read_parquet(day_path(tmp_path / "duckdb", day)))


def test_day_of_events_without_ids_gives_an_empty_file(spark, tmp_path):
    events_dir = write_log([rules.LogRow(None, None, "x", 0, 0)], tmp_path / "events")
    (made,) = _sessionise(spark, events_dir, [date(1970, 1, 1)])
    assert (made.n_without_id, made.sessions.n_events, made.is_complete) == (1, 1, True)
    assert pl.read_parquet(day_path(tmp_path / "made", made.day)).is_empty()


def test_events_can_go_through_a_storage_that_is_left_as_it_was(spark, tmp_path):
    log = random_log(4)
    events_dir, days = write_log(log, tmp_path / "events"), days_of(log)
    (storage := tmp_path / "bucket").mkdir()
    with exchange_through(storage.as_uri(), events_dir, days[:2]) as exchange:
        sessionise_days(
            spark, events_dir, days[:2], exchange, tmp_path / "made", GAP_MINUTES, lambda _: None
        )
    for day in days[:2]:
        made = pl.read_parquet(day_path(tmp_path / "made", day))
        assert made.rows() == rules.sessions_by_date(log, GAP_US)[str(day)]
    assert list(storage.iterdir()) == []


def test_no_days_are_no_work(spark, tmp_path):
    assert _sessionise(spark, tmp_path / "events", []) == []


def test_session_id_of_two_users_is_refused(spark, tmp_path):
    log = [rules.LogRow("s", user, "x", 0, 0) for user in ("b", "a", None)]
    events_dir = write_log(log, tmp_path / "events")
    with pytest.raises(SessionsError, match="session_id 's' is used by two users, 'a' and 'b'"):
        _sessionise(spark, events_dir, [date(1970, 1, 1)])


def test_failure_inside_spark_is_said_in_one_line(spark, tmp_path):
    log = random_log(0)
    events_dir = write_log(log, tmp_path / "events")
    # Whole by its footer; the page behind the first magic number is not.
    part = events_dir / f"date={FIRST_DAY}" / "part-0.parquet"
    damaged = bytearray(part.read_bytes())
    damaged[4:40] = b"\xff" * 36
    part.write_bytes(damaged)
    with pytest.raises(SessionsError) as refused:
        _sessionise(spark, events_dir, days_of(log))
    assert str(refused.value).startswith(f"Spark cannot make sessions of {events_dir.as_uri()}: ")
    assert "\n" not in str(refused.value)
    assert "at org.apache" not in str(refused.value)


@pytest.mark.parametrize("seed", range(2))
def test_events_are_judged_as_one_by_one(spark, seed):
    rng = random.Random(seed)
    rows = [
        {
            "user_id": rng.choice([None, "u1", "u2"]),
            "session_id": rng.choice([None, "s1"]),
            "item_id": rng.choice(["A", "A", "B", 'it\'s "ü"', None]),
            "event_type": rng.choice(["clicked", "searched"]),
            "time_us": time_us,
            "time_given": time_us is not None or rng.random() < 0.5,
            "log_order": order,
        }
        for order, time_us in enumerate(rng.choices([3, 4, LATEST_US, LATEST_US + 1, None], k=200))
    ]
    schema = (
        "user_id string, session_id string, item_id string, event_type string, "
        "time_us bigint, time_given boolean, log_order bigint"
    )
    log = spark.createDataFrame([tuple(row.values()) for row in rows], schema)
    known = spark.createDataFrame([(item,) for item in KNOWN], "item_id string")
    judged = judge(nw.from_native(log), nw.from_native(known), LATEST_US).to_native().collect()
    reasons = {row["log_order"]: row["reason"] for row in judged}
    assert [reasons[order] for order in range(len(rows))] == reasons_one_by_one(rows)
    assert set(reasons.values()) == {None, *REASONS}
