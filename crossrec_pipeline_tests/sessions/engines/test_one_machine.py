"""DuckDB and polars on the days of a log: files, counts and errors."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.day_files import DaySessions, day_path, read_about
from crossrec_pipeline.sessions.days import sessionise_day
from crossrec_pipeline.sessions.engines import duckdb, polars
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

Sessionise = Callable[..., list[DaySessions]]


def _by_duckdb(
    events_dir: Path, days: Sequence[date], target_dir: Path, **options: bool
) -> list[DaySessions]:
    more = GAP_MINUTES, "100MB", _say_nothing
    return duckdb.sessionise_days(events_dir, days, target_dir, *more, **options)


def _by_polars(
    events_dir: Path, days: Sequence[date], target_dir: Path, **options: bool
) -> list[DaySessions]:
    more = GAP_MINUTES, _say_nothing
    return polars.sessionise_days(events_dir, days, target_dir, *more, **options)


def _say_nothing(line: str) -> None:
    pass


ENGINES = pytest.mark.parametrize("sessionise", [_by_duckdb, _by_polars], ids=["duckdb", "polars"])


@ENGINES
@pytest.mark.parametrize("seed", range(5))
def test_files_hold_the_sessions_of_each_day_in_order(sessionise: Sessionise, seed, tmp_path):
    log = random_log(seed)
    days = days_of(log)
    made = sessionise(write_log(log, tmp_path / "events"), days, tmp_path / "made")
    expected = rules.sessions_by_date(log, GAP_US)
    for day, about in zip(days, made, strict=True):
        rows = expected[str(day)]
        frame = pl.read_parquet(day_path(tmp_path / "made", day))
        assert dict(frame.schema) == SESSION_EVENTS
        assert frame.rows() == rows
        n_events = sum(row.date == str(day) for row in log)
        assert (about.n_events, about.n_unattributed) == (n_events, n_events - len(rows))
        assert about.n_sessions == sum(row.position == 0 for row in rows)


@ENGINES
@pytest.mark.parametrize("event_types", [False, True])
def test_files_hold_and_say_what_those_of_the_arrays_do(
    sessionise: Sessionise, event_types: bool, tmp_path
):
    log = random_log(6)
    events_dir, days = write_log(log, tmp_path / "events"), days_of(log)
    abouts = sessionise(events_dir, days, tmp_path / "made", event_types=event_types)
    for day, about in zip(days, abouts, strict=True):
        target = day_path(tmp_path / "arrays", day)
        of_day = events_dir / f"date={day}"
        assert sessionise_day(of_day, target, GAP_MINUTES, event_types=event_types) == about
        assert ("event_type" in pl.read_parquet_schema(target)) is event_types
        made = day_path(tmp_path / "made", day)
        assert read_about(made) == about
        assert pl.read_parquet(made).equals(pl.read_parquet(target))


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
    (made,) = sessionise(write_log(log, tmp_path / "events"), days_of(log), tmp_path / "made")
    assert (made.n_events, made.n_unattributed, made.n_sessions) == (1, 1, 0)
    assert pl.read_parquet(day_path(tmp_path / "made", date(1970, 1, 1))).is_empty()


@ENGINES
def test_session_id_of_two_users_is_refused(sessionise: Sessionise, tmp_path):
    log = [rules.LogRow("s", user, "x", 0, 0) for user in ("b", "a", None)]
    with pytest.raises(SessionsError, match="session_id 's' is used by two users, 'a' and 'b'"):
        sessionise(write_log(log, tmp_path / "events"), days_of(log), tmp_path / "made")


@ENGINES
def test_file_that_is_not_whole_is_named(sessionise: Sessionise, tmp_path):
    log = random_log(0)
    part = write_log(log, tmp_path / "events") / f"date={FIRST_DAY}" / "part-0.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(SessionsError, match=f"{part} is not whole"):
        sessionise(tmp_path / "events", [FIRST_DAY], tmp_path / "made")
