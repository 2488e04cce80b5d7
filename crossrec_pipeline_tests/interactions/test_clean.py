from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.interactions.clean import (
    FUTURE_TOLERANCE,
    judge,
    latest_acceptable_us,
)

COLUMNS = {
    "user_id": pl.String,
    "session_id": pl.String,
    "item_id": pl.String,
    "event_type": pl.String,
    "time_us": pl.Int64,
    "time_given": pl.Boolean,
    "log_order": pl.Int64,
}
KNOWN = ["A", "B", "A"]
LATEST_US = 5


def judge_in_polars(events: pl.DataFrame) -> pl.DataFrame:
    known = pl.LazyFrame({"item_id": KNOWN})
    return (
        judge(nw.from_native(events.lazy()), nw.from_native(known), LATEST_US).to_native().collect()
    )


def judge_in_duckdb(events: pl.DataFrame) -> pl.DataFrame:
    with duckdb.connect() as connection:
        oldest = pl.CompatLevel.oldest()
        connection.register("log", events.to_arrow(compat_level=oldest))
        connection.register("known", pl.DataFrame({"item_id": KNOWN}).to_arrow(compat_level=oldest))
        log, known = connection.table("log"), connection.table("known")
        judged = judge(nw.from_native(log), nw.from_native(known), LATEST_US).to_native()
        return pl.DataFrame(judged.to_arrow_table())


ENGINES = pytest.mark.parametrize(
    "judged_by", [judge_in_polars, judge_in_duckdb], ids=["polars", "duckdb"]
)
Judge = Callable[[pl.DataFrame], pl.DataFrame]


def reasons_one_by_one(rows: list[dict]) -> list[str | None]:
    """Judge row after row, as the table of reasons reads."""
    seen, reasons = set(), []
    for row in rows:
        event = (
            row["user_id"],
            row["session_id"],
            row["item_id"],
            row["event_type"],
            row["time_us"],
        )
        if row["item_id"] is None:
            reason = "no_item"
        elif row["item_id"] not in KNOWN:
            reason = "unknown_item"
        elif not row["time_given"]:
            reason = "no_timestamp"
        elif row["time_us"] is None:
            reason = "unparseable_timestamp"
        elif row["time_us"] > LATEST_US:
            reason = "from_future"
        elif row["user_id"] is None and row["session_id"] is None:
            reason = "no_user_or_session"
        elif event in seen:
            reason = "duplicate"
        else:
            reason = None
            seen.add(event)
        reasons.append(reason)
    return reasons


@st.composite
def logs(draw: st.DrawFn) -> list[dict]:
    """Draw events of few values, so that every reason and many repeats occur."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from([None, "u1", "u2"]),
                st.sampled_from([None, "s1"]),
                st.sampled_from(["A", "A", "B", "Z", None]),
                st.sampled_from(["clicked", "clicked", "searched"]),
                st.sampled_from([3, 3, 4, LATEST_US, LATEST_US + 1, None]),
                st.booleans(),
            ),
            max_size=25,
        )
    )
    return [
        dict(zip(COLUMNS, (*row[:5], row[5] or row[4] is not None, order), strict=True))
        for order, row in enumerate(rows, start=1)
    ]


@ENGINES
@settings(max_examples=60, deadline=None)
@given(rows=logs())
def test_every_engine_gives_the_reasons_of_judging_one_by_one(judged_by: Judge, rows: list[dict]):
    judged = judged_by(pl.DataFrame(rows, schema=COLUMNS)).sort("log_order")
    assert judged["reason"].to_list() == reasons_one_by_one(rows)
    assert judged.drop("reason").rows(named=True) == rows


@ENGINES
def test_log_without_events_stays_without(judged_by: Judge):
    judged = judged_by(pl.DataFrame(schema=COLUMNS))
    assert (judged.height, judged.columns) == (0, [*COLUMNS, "reason"])


@ENGINES
def test_further_columns_stay(judged_by: Judge):
    rows = pl.DataFrame(
        [("u1", None, "A", "clicked", 3, True, 1)], schema=COLUMNS, orient="row"
    ).with_columns(page=pl.lit("home"))
    assert judged_by(rows)["page"].to_list() == ["home"]


@ENGINES
def test_refused_event_does_not_make_its_repeat_a_duplicate(judged_by: Judge):
    # Both lack a user and a session: neither was accepted before the other.
    row = (None, None, "A", "clicked", 3, True)
    rows = pl.DataFrame([(*row, 1), (*row, 2)], schema=COLUMNS, orient="row")
    assert judged_by(rows)["reason"].to_list() == ["no_user_or_session"] * 2


def test_a_day_ahead_is_still_acceptable():
    now = datetime(2024, 1, 1, tzinfo=UTC)
    latest = datetime.fromtimestamp(latest_acceptable_us(now) / 1e6, UTC)
    assert latest - now == FUTURE_TOLERANCE == timedelta(days=1)
