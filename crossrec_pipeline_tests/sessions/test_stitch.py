from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions import day_files
from crossrec_pipeline.sessions.day_files import list_days
from crossrec_pipeline.sessions.days import bring_up_to_date
from crossrec_pipeline.sessions.item_codes import ItemCodes
from crossrec_pipeline.sessions.lasting_sessions import find_lasting_sessions
from crossrec_pipeline.sessions.stitch import WholeSessions, stitch
from crossrec_pipeline_tests.sessions import reference
from crossrec_pipeline_tests.sessions.logs import DAY_ONE, EPOCH, MICROSECOND, Event, write_log
from crossrec_pipeline_tests.sessions.random_logs import GAPS_MINUTES, ITEM_IDS, logs

MIDNIGHT = 24 * 60
Listed = list[tuple[str | None, str | None, list[tuple[str, int]]]]


def stitched(
    events: Sequence[Event], *, gap_minutes: float = 30, collapse_repeats: bool = True
) -> Listed:
    """Sessions as (session_id, user_id, [(item_id, µs), …]), in order of start, id and user."""
    with TemporaryDirectory() as directory:
        log, by_day = write_log(Path(directory) / "events", events), Path(directory) / "by_day"
        bring_up_to_date(log, by_day, gap_minutes)
        days = list_days(by_day)
        codes = ItemCodes(pl.Series(ITEM_IDS))
        batches = stitch(
            by_day,
            days,
            codes,
            find_lasting_sessions(by_day, days, Path(directory), 10**6),
            gap_minutes=gap_minutes,
            collapse_repeats=collapse_repeats,
        )
        sessions = [session for batch in batches for session in listed(batch, codes)]
    return sorted(sessions, key=lambda s: (s[2][0][1], s[0] or "", s[1] or ""))


def listed(whole: WholeSessions, codes: ItemCodes) -> Listed:
    items = codes.decode(whole.item).to_list()
    events = list(zip(items, whole.time_us.tolist(), strict=True))
    bounds = zip(whole.offsets[:-1], whole.offsets[1:], strict=True)
    return [
        (session_id, user_id, events[begin:end])
        for (session_id, user_id), (begin, end) in zip(whole.names.rows(), bounds, strict=True)
    ]


def items_of(events: Sequence[Event], *, collapse_repeats: bool = True) -> list[list[str]]:
    sessions = stitched(events, collapse_repeats=collapse_repeats)
    return [[item_id for item_id, _ in of_session] for _, _, of_session in sessions]


def minute_us(minute: float) -> int:
    return (DAY_ONE + timedelta(minutes=minute) - EPOCH) // timedelta(microseconds=1)


def test_gap_of_exactly_thirty_minutes_stays_in_session() -> None:
    assert items_of([Event("u", "a", 0), Event("u", "b", 30)]) == [["a", "b"]]


def test_gap_of_a_microsecond_more_than_thirty_minutes_ends_the_session() -> None:
    events = [Event("u", "a", 0), Event("u", "b", 30 + MICROSECOND)]
    assert items_of(events) == [["a"], ["b"]]


def test_session_goes_on_over_midnight() -> None:
    events = [Event("u", "a", MIDNIGHT - 10), Event("u", "b", MIDNIGHT + 10)]
    assert items_of(events) == [["a", "b"]]


def test_gap_of_exactly_thirty_minutes_over_midnight_stays_in_session() -> None:
    events = [Event("u", "a", MIDNIGHT - 30), Event("u", "b", MIDNIGHT)]
    assert items_of(events) == [["a", "b"]]


def test_gap_over_midnight_ends_the_session() -> None:
    events = [Event("u", "a", MIDNIGHT - 30), Event("u", "b", MIDNIGHT + MICROSECOND)]
    assert items_of(events) == [["a"], ["b"]]


def test_session_goes_on_over_many_midnights() -> None:
    # Every 25 minutes from the first day to the fourth.
    events = [Event("u", "ab"[n % 2], 25 * n) for n in range(180)]
    assert [len(items) for items in items_of(events)] == [180]


def test_long_gap_bridges_a_day_without_events() -> None:
    events = [Event("u", "a", 0), Event("v", "c", 10), Event("u", "b", 2 * MIDNIGHT)]
    sessions = stitched(events, gap_minutes=2 * MIDNIGHT)
    assert [len(of_session) for _, _, of_session in sessions] == [2, 1]


def test_only_the_first_session_of_a_day_goes_on_with_yesterdays() -> None:
    events = [
        Event("u", "a", MIDNIGHT - 5),
        Event("u", "b", MIDNIGHT + 5),
        Event("u", "c", MIDNIGHT + 60),
    ]
    assert items_of(events) == [["a", "b"], ["c"]]


def test_users_do_not_share_a_session() -> None:
    events = [Event("u", "a", 0), Event("v", "b", 1), Event("u", "c", 2), Event("v", "d", 3)]
    assert items_of(events) == [["a", "c"], ["b", "d"]]


def test_given_session_id_outlasts_the_gap() -> None:
    assert items_of([Event("u", "a", 0, "s"), Event("u", "b", 500, "s")]) == [["a", "b"]]


def test_given_session_id_goes_on_at_any_distance_in_days() -> None:
    events = [
        Event("u", "a", 0, "s"),
        Event("v", "x", MIDNIGHT, "other"),
        Event("u", "b", 3 * MIDNIGHT, "s"),
        Event("u", "c", 4 * MIDNIGHT, "s"),
    ]
    assert items_of(events) == [["a", "b", "c"], ["x"]]


def test_given_session_id_separates_events_without_a_gap() -> None:
    events = [Event("u", "a", 0, "s"), Event("u", "b", 1, "t"), Event("u", "c", 2, "s")]
    assert items_of(events) == [["a", "c"], ["b"]]


def test_events_with_session_id_do_not_bridge_a_gap_of_events_without() -> None:
    events = [Event("u", "a", 0), Event("u", "b", 20, "s"), Event("u", "c", 40)]
    assert items_of(events) == [["a"], ["b"], ["c"]]


def test_session_id_without_user_is_one_anonymous_session() -> None:
    sessions = stitched([Event(None, "a", 0, "s"), Event(None, "b", MIDNIGHT, "s")])
    assert [session[:2] for session in sessions] == [("s", None)]


@pytest.mark.parametrize("minute", [1, MIDNIGHT + 1])
def test_user_who_logs_in_during_a_session_keeps_it_whole(minute: float) -> None:
    sessions = stitched([Event(None, "a", 0, "s"), Event("u", "b", minute, "s")])
    assert [session[:2] for session in sessions] == [("s", "u")]


@pytest.mark.parametrize("minute", [1, 3 * MIDNIGHT])
def test_session_id_of_two_users_is_refused(minute: float) -> None:
    events = [Event("v", "a", 0, "s"), Event("u", "b", minute, "s")]
    with pytest.raises(SessionsError, match=r"session_id 's' is used by two users, 'u' and 'v'"):
        stitched(events)


def test_equal_times_are_ordered_by_the_log() -> None:
    events = [Event("u", "c", 5), Event("u", "a", 5), Event("u", "b", 5), Event("u", "d", 0)]
    assert items_of(events) == [["d", "c", "a", "b"]]


def test_consecutive_repeats_collapse_to_the_first() -> None:
    events = [Event("u", item, minute) for minute, item in enumerate("aabaa")]
    (session,) = stitched(events)
    assert session[2] == [("a", minute_us(0)), ("b", minute_us(2)), ("a", minute_us(3))]


def test_repeats_collapse_over_midnight() -> None:
    events = [Event("u", "a", MIDNIGHT - 5), Event("u", "a", MIDNIGHT + 5)]
    assert items_of(events) == [["a"]]


def test_repeats_still_keep_a_session_going() -> None:
    events = [Event("u", "a", 0), Event("u", "a", 20), Event("u", "b", 40)]
    assert items_of(events) == [["a", "b"]]


def test_repeats_still_keep_a_session_going_over_midnight() -> None:
    minutes = [MIDNIGHT - 40, MIDNIGHT - 20, MIDNIGHT]
    assert items_of([Event("u", "a", minute) for minute in minutes]) == [["a"]]


def test_repeats_in_two_sessions_do_not_collapse() -> None:
    assert items_of([Event("u", "a", 0), Event("u", "a", 60)]) == [["a"], ["a"]]


def test_repeats_stay_when_not_collapsed() -> None:
    events = [Event("u", "a", 0), Event("u", "a", 1)]
    assert items_of(events, collapse_repeats=False) == [["a", "a"]]


@settings(max_examples=60, deadline=None)
@given(
    events=logs(1, 40),
    gap_minutes=st.sampled_from(GAPS_MINUTES),
    collapse=st.booleans(),
    rows_at_a_time=st.sampled_from([1, 4, 1 << 20]),
)
def test_sessions_are_those_of_a_slow_and_obvious_walk(
    events: list[Event], gap_minutes: float, collapse: bool, rows_at_a_time: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_files, "ROWS_AT_A_TIME", rows_at_a_time)
        found = stitched(events, gap_minutes=gap_minutes, collapse_repeats=collapse)
    expected = reference.sessionise(events, gap_minutes, collapse)
    assert sorted((user or "", events) for _, user, events in found) == sorted(
        (s.user_id or "", list(zip(s.items, s.times_us, strict=True))) for s in expected
    )
    assert {session_id for session_id, _, _ in found if session_id} == {
        s.name for s in expected if "/" not in s.name
    }


def test_what_is_open_at_the_end_of_a_day_waits_for_the_next(tmp_path: Path) -> None:
    events = [Event("u", "a", MIDNIGHT - 5), Event("v", "b", 0), Event("u", "c", MIDNIGHT)]
    log, by_day = write_log(tmp_path / "events", events), tmp_path / "by_day"
    days = bring_up_to_date(log, by_day, 30).days
    lasting = find_lasting_sessions(by_day, days, tmp_path, 10**6)
    codes = ItemCodes(pl.Series(["a", "b", "c"]))
    batches = stitch(by_day, days, codes, lasting, gap_minutes=30, collapse_repeats=True)
    starts = [batch.start_us.tolist() for batch in batches]
    assert starts == [[minute_us(0)], [minute_us(MIDNIGHT - 5)], []]
