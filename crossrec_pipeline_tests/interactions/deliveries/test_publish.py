from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.interactions.deliveries import published, published_days
from crossrec_pipeline.interactions.load import load_log
from crossrec_pipeline.interactions.schema import EVENTS, REJECTED_EVENTS
from crossrec_pipeline_tests.interactions.deliveries.growing_log import (
    HEADER,
    ITEMS,
    NOW,
    GrowingLog,
)

DAY = "2024-03-01"


def test_columns_types_and_layout_are_those_of_the_contract(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01T10:00", "u1,Z,2024-03-01T10:00")
    log.read()
    log.publish(DAY)
    assert log.accepted(DAY).schema == pl.Schema(EVENTS)
    assert log.refused(DAY).schema == pl.Schema(REJECTED_EVENTS)
    assert log.accepted(DAY).row(0) == (
        "u1",
        None,
        "A",
        "clicked",
        datetime(2024, 3, 1, 10, tzinfo=UTC),
        1,
    )


def test_events_are_ordered_by_time_then_by_delivery_and_row(log: GrowingLog):
    log.deliver("b.csv", "u3,A,2024-03-01T09:00", "u4,A,2024-03-01T10:00")
    log.deliver("a.csv", "u1,A,2024-03-01T10:00", "u2,A,2024-03-02", "u2,A,2024-03-01T10:00")
    log.read()
    log.publish(DAY)
    # Of the day: a has rows 1 and 2 (its second is of another day), b has 3 and 4.
    assert log.accepted(DAY).select("user_id", "log_order").rows() == [
        ("u3", 3),
        ("u1", 1),
        ("u2", 2),
        ("u4", 4),
    ]


def test_event_that_was_delivered_twice_is_found(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01T10:00", "u1,B,2024-03-01T10:00")
    log.deliver("b.csv", "u1,A,1709287200", "u2,A,2024-03-01T10:00")
    log.read()
    summary = log.publish(DAY)
    assert (summary.n_in, summary.n_accepted, summary.n_rejected) == (4, 3, {"duplicate": 1})
    assert log.refused(DAY)["log_order"].to_list() == [3]


def test_late_events_join_the_others_of_their_day(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01T10:00", "u1,A,2024-03-02")
    log.read()
    before = log.publish_all()
    log.deliver("b.csv", "u1,B,2024-03-01T09:00")
    log.read()
    assert log.stale(log.days()) == [DAY]
    after = log.publish_all()
    assert log.accepted(DAY)["item_id"].to_list() == ["B", "A"]
    assert after["2024-03-02"] == before["2024-03-02"]
    assert after[DAY].digest != before[DAY].digest


def test_publishing_again_gives_the_same(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01T10:00", "u2,A,2024-03-01T10:00")
    log.read()
    summary = log.publish(DAY)
    assert log.publish(DAY) == summary == published(date(2024, 3, 1), log.events)


def test_day_without_an_accepted_event_has_a_file_without_rows(log: GrowingLog):
    log.deliver("a.csv", "u1,Z,2024-03-01")
    log.read()
    summary = log.publish(DAY)
    assert (summary.n_accepted, summary.n_rejected) == (0, {"unknown_item": 1})
    assert log.accepted(DAY).schema == pl.Schema(EVENTS)
    assert log.stale([DAY]) == []


def test_day_of_which_nothing_is_left_loses_its_files(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01", "u1,Z,2024-03-01")
    log.read()
    log.publish(DAY)
    assert published_days(log.events) == (date(2024, 3, 1),)
    log.deliver("a.csv", age=60)
    log.read()
    assert log.stale([DAY]) == [DAY]
    assert log.publish(DAY).n_in == 0
    assert published_days(log.events) == ()
    assert list(log.rejected.iterdir()) == []
    assert log.stale([DAY]) == []


def test_refused_file_goes_with_the_last_refused_event(log: GrowingLog):
    log.deliver("a.csv", "u1,Z,2024-03-01", "u1,A,2024-03-01")
    log.read()
    log.publish(DAY)
    log.publish(DAY, pl.DataFrame({"item_id": ["A", "Z"]}))
    assert list(log.rejected.iterdir()) == []


# When a day is current


def test_day_is_stale_until_it_is_published(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    log.read()
    assert log.stale([DAY]) == [DAY]
    log.publish(DAY)
    assert log.stale([DAY]) == []


def test_other_items_make_a_day_stale_and_their_order_does_not(log: GrowingLog):
    log.deliver("a.csv", "u1,Z,2024-03-01")
    log.read()
    log.publish(DAY)
    assert log.stale([DAY], ITEMS.reverse()) == []
    assert log.stale([DAY], pl.DataFrame({"item_id": ["A", "B", "Z"]})) == [DAY]


def test_day_of_a_log_that_was_loaded_as_a_whole_is_stale(log: GrowingLog):
    path = log.deliver("a.csv", "u1,A,2024-03-01")
    load_log(path, ITEMS, {}, {}, log.events, log.rejected / "all.parquet", NOW)
    assert log.stale([DAY]) == [DAY]


def test_event_from_the_future_is_accepted_when_its_time_has_come(log: GrowingLog):
    # now is the 10th at noon: the 11th at noon is a day ahead.
    log.deliver("a.csv", "u1,A,2024-03-11T12:00:00", "u1,A,2024-03-11T12:00:01")
    log.read()
    summary = log.publish("2024-03-11")
    assert summary.n_rejected == {"from_future": 1}
    assert log.refused("2024-03-11")["log_order"].to_list() == [2]
    assert log.stale(["2024-03-11"]) == []
    later = NOW + timedelta(seconds=1)
    assert log.stale(["2024-03-11"], now=later) == ["2024-03-11"]
    assert log.publish("2024-03-11", now=later).n_accepted == 2


# Whatever way the rows come

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", ""]),
        st.sampled_from(["A", "B", "Z", ""]),
        st.sampled_from(
            [
                "2024-03-01T10:00",
                "2024-03-01T23:59:59",
                "2024-03-02",
                "2024-03-03T00:00:01",
                "soon",
                "",
            ]
        ),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=16,
)


def content(log: GrowingLog) -> tuple[dict[str, list], Counter]:
    """Return the accepted events by day, and the refused ones by reason, without log order."""
    accepted = {
        day: sorted(log.accepted(day).drop("log_order").rows(), key=str) for day in log.days()
    }
    refused = Counter(
        reason
        for path in sorted(log.rejected.glob("*.parquet"))
        for reason in pl.read_parquet(path, hive_partitioning=False)["reason"]
    )
    return {day: rows for day, rows in accepted.items() if rows}, refused


@settings(max_examples=8, deadline=None)
@given(rows=ROWS, one_by_one=st.booleans(), order=st.permutations(range(4)))
def test_days_are_those_of_the_whole_log_however_it_was_delivered(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str, int]],
    one_by_one: bool,
    order: list[int],
):
    # A good row each, since a delivery without any readable time is refused.
    rows = rows + [(f"good{part}", "A", "2024-03-01T12:00", part) for part in range(4)]
    lines = [(",".join(row[:3]), row[3]) for row in rows]
    log = GrowingLog(tmp_path_factory.mktemp("grown"))
    for part in order:
        name = f"{part}.csv"
        if part == order[0]:
            # At first with other rows: they must leave no trace.
            log.deliver(name, "ghost,A,2024-03-01T12:00", "ghost,B,2024-03-09")
            log.read()
        log.deliver(name, *(line for line, where in lines if where == part), age=60)
        if one_by_one:
            log.read()
    log.read()
    log.publish_all()
    whole = tmp_path_factory.mktemp("whole")
    (whole / "log.csv").write_text("\n".join([HEADER, *(line for line, _ in lines)]))
    load_log(whole / "log.csv", ITEMS, {}, {}, whole / "events", whole / "rejected.parquet", NOW)
    accepted, refused = content(log)
    assert accepted == by_day(whole / "events")
    # Without a catalogue at hand, an unknown item without a time is told by its time.
    assert refused.total() == pl.read_parquet(whole / "rejected.parquet").height
    assert refused["duplicate"] == reasons(whole)["duplicate"]


def by_day(events: Path) -> dict[str, list]:
    return {
        folder.name.removeprefix("date="): sorted(
            pl.read_parquet(folder / "part-0.parquet", hive_partitioning=False)
            .drop("log_order")
            .rows(),
            key=str,
        )
        for folder in events.iterdir()
    }


def reasons(directory: Path) -> Counter:
    return Counter(pl.read_parquet(directory / "rejected.parquet")["reason"].to_list())


@settings(max_examples=6, deadline=None)
@given(order=st.permutations(["a.csv", "b.csv", "c.csv"]))
def test_order_of_reading_does_not_matter_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
):
    rows = {
        "a.csv": ["u1,A,2024-03-01", "u1,B,2024-03-02"],
        "b.csv": ["u1,A,2024-03-01", "u2,A,2024-03-01"],
        "c.csv": ["u3,B,2024-03-01", "u3,B,2024-03-02"],
    }
    at_once, in_turn = (GrowingLog(tmp_path_factory.mktemp("log")) for _ in range(2))
    for name in order:
        in_turn.deliver(name, *rows[name])
        in_turn.read()
        at_once.deliver(name, *rows[name])
    at_once.read()
    assert in_turn.publish_all() == at_once.publish_all()
