from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.schema import EVENTS
from crossrec_pipeline.sessions.build import EVENT_COLUMNS, ID_COLUMNS, build_sessions
from crossrec_pipeline.sessions.schema import SESSION_EVENTS
from crossrec_pipeline_tests.sessions.logs import DAY_ONE, EPOCH, Event, write_log
from crossrec_pipeline_tests.sessions.random_logs import ITEM_IDS

START_US = round((DAY_ONE - EPOCH).total_seconds()) * 1_000_000
MINUTE_US = 60_000_000


def day_table(events: Sequence[Event], log_order: Sequence[int] | None = None) -> pa.Table:
    """Make a day's events as they are read from Parquet, in the order given."""
    frame = pl.DataFrame(
        {
            "user_id": [event.user_id for event in events],
            "session_id": [event.session_id for event in events],
            "item_id": [event.item_id for event in events],
            "event_type": ["clicked"] * len(events),
            "timestamp": [event.timestamp for event in events],
            "log_order": range(len(events)) if log_order is None else log_order,
        },
        schema=EVENTS,
    )
    return frame.select(EVENT_COLUMNS).to_arrow(compat_level=pl.CompatLevel.oldest())


def built(events: Sequence[Event], log_order: Sequence[int] | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(build_sessions(day_table(events, log_order), gap_minutes=30))
    return frame.cast(dict.fromkeys(ID_COLUMNS, pl.String))


def test_each_event_is_a_row_of_its_session() -> None:
    events = [Event("u", "a", 0), Event("v", "b", 1), Event("u", "c", 2)]
    frame = built(events)
    assert frame.schema == pl.Schema(SESSION_EVENTS)
    assert frame.rows() == [
        (None, "u", START_US, 0, "a", START_US, 0),
        (None, "u", START_US, 1, "c", START_US + 2 * MINUTE_US, 2),
        (None, "v", START_US + MINUTE_US, 0, "b", START_US + MINUTE_US, 1),
    ]


def test_silence_of_more_than_the_gap_begins_a_session() -> None:
    frame = built([Event("u", "a", 0), Event("u", "b", 30), Event("u", "c", 60.5)])
    assert frame["position"].to_list() == [0, 1, 0]


def test_sessions_that_start_together_come_by_id_then_user_nulls_first() -> None:
    events = [
        Event("v", "a", 0),
        Event("w", "b", 0, "t"),
        Event("u", "c", 0),
        Event(None, "d", 0, "s"),
    ]
    assert built(events).select("session_id", "user_id").rows() == [
        (None, "u"),
        (None, "v"),
        ("s", None),
        ("t", "w"),
    ]


def test_events_of_equal_time_and_order_come_by_item() -> None:
    frame = built([Event("u", item, 0) for item in "cab"], log_order=[5, 5, 5])
    assert frame["item_id"].to_list() == ["a", "b", "c"]


def test_session_belongs_to_the_user_that_any_of_its_events_names() -> None:
    frame = built([Event(None, "a", 0, "s"), Event("u", "b", 1, "s"), Event(None, "c", 2, "s")])
    assert frame["user_id"].to_list() == ["u", "u", "u"]


def test_session_of_two_users_is_refused_by_the_first_such_id() -> None:
    events = [Event(user, "a", 0, session) for session in "ts" for user in "zxy"]
    with pytest.raises(SessionsError, match=r"session_id 's' is used by two users, 'x' and 'z'"):
        built(events)


def test_events_without_user_and_session_are_left_out() -> None:
    assert built([Event(None, "a", 0), Event("u", "b", 1)])["item_id"].to_list() == ["b"]


def test_a_day_without_events_has_no_sessions() -> None:
    assert built([]).height == 0


def test_several_row_groups_of_other_dictionaries_are_one_day(tmp_path: Path) -> None:
    log = write_log(tmp_path, [Event(f"u{n % 3}", f"i{n}", n) for n in range(40)])
    path = log / "date=2023-01-01" / "part-0.parquet"
    pq.write_table(pq.ParquetFile(path).read(), path, row_group_size=7)
    table = pq.ParquetFile(path, read_dictionary=list(ID_COLUMNS)).read()
    frame = pl.DataFrame(build_sessions(table, gap_minutes=30))
    assert frame["item_id"].cast(pl.String).to_list() == [
        f"i{n}" for first in range(3) for n in range(first, 40, 3)
    ]


events_of_a_day = st.lists(
    st.builds(
        Event,
        st.sampled_from(["u", "v", "w"]),
        st.sampled_from(ITEM_IDS),
        st.integers(0, 20).map(lambda n: 15.0 * n),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(events=events_of_a_day, data=st.data())
def test_order_of_the_rows_does_not_matter(events: list[Event], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(events))))
    log_order = data.draw(st.lists(st.integers(0, 9), min_size=len(events), max_size=len(events)))
    shuffled = built([events[n] for n in order], [log_order[n] for n in order])
    assert shuffled.equals(built(events, log_order))
