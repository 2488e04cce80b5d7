from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.sessions.expression import sessions_by_date, sessions_of_log
from crossrec_pipeline.sessions.schema import SESSION_EVENTS
from crossrec_pipeline_tests.sessions import session_rules as rules
from crossrec_pipeline_tests.sessions.session_rules import DAY_US, LogRow, SessionRow

GAP_US = 10
ORDER = ["start_us", "session_id", "user_id", "position"]


def _frame(log: Sequence[LogRow]) -> pl.DataFrame:
    columns = {
        "date": pl.String(),
        "session_id": pl.String(),
        "user_id": pl.String(),
        "item_id": pl.String(),
        "time_us": pl.Int64(),
        "log_order": pl.Int64(),
    }
    return pl.DataFrame([(row.date, *row) for row in log], schema=columns, orient="row")


def _events(engine: str, log: Sequence[LogRow]) -> nw.LazyFrame[Any]:
    if engine == "polars":
        return nw.from_native(_frame(log).lazy())
    connection = duckdb.connect()
    connection.register("log", _frame(log).to_arrow())
    return nw.from_native(connection.table("log"))


def _read(sessions: nw.LazyFrame[Any], *order: str) -> pl.DataFrame:
    return sessions.sort(*order).collect(backend="polars").to_native()


def _of_log(engine: str, log: Sequence[LogRow]) -> list[SessionRow]:
    sessions = _read(sessions_of_log(_events(engine, log), GAP_US), *ORDER)
    assert dict(sessions.schema) == SESSION_EVENTS
    return [SessionRow(*row) for row in sessions.rows()]


def _by_date(engine: str, log: Sequence[LogRow]) -> dict[str, list[SessionRow]]:
    sessions = _read(sessions_by_date(_events(engine, log), GAP_US), "date", *ORDER)
    assert dict(sessions.drop("date").schema) == SESSION_EVENTS
    days: dict[str, list[SessionRow]] = defaultdict(list)
    for date, *row in sessions.rows():
        days[date].append(SessionRow(*row))
    return dict(days)


ENGINES = pytest.mark.parametrize("engine", ["duckdb", "polars"])

_names = st.one_of(st.none(), st.sampled_from(["a", "b", "ü", 'o\'b "c"']))
# Around midnight, in steps that make ties, silences of exactly the gap, and longer ones.
_times = st.integers(-4, 8).map(lambda step: 3 * DAY_US + 5 * step)
_logs = st.lists(
    st.builds(LogRow, _names, _names, st.sampled_from("xyz"), _times, st.integers(0, 3)),
    max_size=25,
)


@ENGINES
@given(log=_logs)
@settings(max_examples=60)
def test_equals_the_rules_on_a_whole_log(engine, log):
    assert _of_log(engine, log) == rules.sessions_of(log, GAP_US)


@ENGINES
@given(log=_logs)
@settings(max_examples=60)
def test_equals_the_rules_on_each_day(engine, log):
    expected = {day: rows for day, rows in rules.sessions_by_date(log, GAP_US).items() if rows}
    assert _by_date(engine, log) == expected


@ENGINES
def test_silence_of_exactly_the_gap_stays_in_the_session(engine):
    log = [LogRow(None, "u", "x", time, 0) for time in (0, 10, 21)]
    # 10 - 0 = gap; 21 - 10 = 11 > gap.
    assert [(row.start_us, row.position) for row in _of_log(engine, log)] == [
        (0, 0),
        (0, 1),
        (21, 0),
    ]


@ENGINES
def test_session_of_the_log_never_breaks_and_owns_its_anonymous_events(engine):
    log = [LogRow("s", None, "x", 0, 0), LogRow("s", "u", "y", 5_000, 1)]
    assert _of_log(engine, log) == [
        SessionRow("s", "u", 0, 0, "x", 0, 0),
        SessionRow("s", "u", 0, 1, "y", 5_000, 1),
    ]


@ENGINES
def test_name_that_is_both_a_session_and_a_user_names_two_streams(engine):
    log = [LogRow("n", None, "x", 0, 0), LogRow(None, "n", "y", 1, 1)]
    assert _of_log(engine, log) == [
        SessionRow("n", None, 0, 0, "x", 0, 0),
        SessionRow(None, "n", 1, 0, "y", 1, 1),
    ]


@ENGINES
def test_session_over_midnight_is_cut_there(engine):
    log = [LogRow(None, "u", "x", DAY_US - 1, 0), LogRow(None, "u", "y", DAY_US, 1)]
    assert [row.start_us for row in _of_log(engine, log)] == [DAY_US - 1, DAY_US - 1]
    assert _by_date(engine, log) == {
        "1970-01-01": [SessionRow(None, "u", DAY_US - 1, 0, "x", DAY_US - 1, 0)],
        "1970-01-02": [SessionRow(None, "u", DAY_US, 0, "y", DAY_US, 1)],
    }


@ENGINES
def test_events_that_no_order_tells_apart_have_positions_of_their_own(engine):
    row = LogRow(None, "u", "x", 0, 0)
    assert [made.position for made in _of_log(engine, [row] * 3)] == [0, 1, 2]


@ENGINES
def test_times_before_1970_are_kept(engine):
    log = [LogRow(None, "u", "x", -7, 0), LogRow(None, "u", "y", -3, 1)]
    assert [row.start_us for row in _of_log(engine, log)] == [-7, -7]


@ENGINES
def test_no_events_give_no_sessions(engine):
    assert _of_log(engine, []) == []
    assert _by_date(engine, []) == {}
