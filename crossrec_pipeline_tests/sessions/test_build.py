from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.schema import EVENTS
from crossrec_pipeline.sessions.build import SessionisedEvents, sessionise
from crossrec_pipeline_tests.sessions.logs import DAY_ONE, Event, write_log

MICROSECOND = 1 / 60_000_000
Session = tuple[str, str | None, list[tuple[str, datetime]]]


def listed(sessionised: SessionisedEvents) -> list[Session]:
    """Sessions as (session_id, user_id, [(item_id, timestamp), …]), in their order."""
    events: list[list[tuple[str, datetime]]] = [[] for _ in range(sessionised.sessions.height)]
    for session, position, item_id, timestamp in sessionised.events.iter_rows():
        assert position == len(events[session])
        events[session].append((item_id, timestamp))
    return [
        (session_id, user_id, events[number])
        for number, (session_id, user_id, _, _) in enumerate(sessionised.sessions.iter_rows())
    ]


def items_of(sessionised: SessionisedEvents) -> list[list[str]]:
    return [[item_id for item_id, _ in events] for _, _, events in listed(sessionised)]


def sessions_of(
    tmp_path: Path, events: Sequence[Event], *, collapse_repeats: bool = True
) -> SessionisedEvents:
    log = write_log(tmp_path / "events", events)
    return sessionise(log, gap_minutes=30, collapse_repeats=collapse_repeats)


def test_gap_of_exactly_thirty_minutes_stays_in_session(tmp_path: Path) -> None:
    sessionised = sessions_of(tmp_path, [Event("u", "a", 0), Event("u", "b", 30)])
    assert items_of(sessionised) == [["a", "b"]]


def test_gap_of_a_microsecond_more_than_thirty_minutes_ends_the_session(tmp_path: Path) -> None:
    sessionised = sessions_of(tmp_path, [Event("u", "a", 0), Event("u", "b", 30 + MICROSECOND)])
    assert items_of(sessionised) == [["a"], ["b"]]


def test_session_goes_on_over_midnight(tmp_path: Path) -> None:
    midnight = 24 * 60
    sessionised = sessions_of(
        tmp_path, [Event("u", "a", midnight - 10), Event("u", "b", midnight + 10)]
    )
    assert items_of(sessionised) == [["a", "b"]]


def test_users_do_not_share_a_session(tmp_path: Path) -> None:
    events = [Event("u", "a", 0), Event("v", "b", 1), Event("u", "c", 2), Event("v", "d", 3)]
    assert items_of(sessions_of(tmp_path, events)) == [["a", "c"], ["b", "d"]]


def test_given_session_id_outlasts_the_gap(tmp_path: Path) -> None:
    events = [Event("u", "a", 0, "s"), Event("u", "b", 500, "s")]
    assert items_of(sessions_of(tmp_path, events)) == [["a", "b"]]


def test_given_session_id_separates_events_without_a_gap(tmp_path: Path) -> None:
    events = [Event("u", "a", 0, "s"), Event("u", "b", 1, "t"), Event("u", "c", 2, "s")]
    assert items_of(sessions_of(tmp_path, events)) == [["a", "c"], ["b"]]


def test_events_with_session_id_do_not_bridge_a_gap_of_events_without(tmp_path: Path) -> None:
    events = [Event("u", "a", 0), Event("u", "b", 20, "s"), Event("u", "c", 40)]
    assert items_of(sessions_of(tmp_path, events)) == [["a"], ["b"], ["c"]]


def test_session_id_without_user_is_one_anonymous_session(tmp_path: Path) -> None:
    sessionised = sessions_of(tmp_path, [Event(None, "a", 0, "s"), Event(None, "b", 1, "s")])
    assert [session[:2] for session in listed(sessionised)] == [("s", None)]


def test_user_who_logs_in_during_a_session_keeps_it_whole(tmp_path: Path) -> None:
    sessionised = sessions_of(tmp_path, [Event(None, "a", 0, "s"), Event("u", "b", 1, "s")])
    assert [session[:2] for session in listed(sessionised)] == [("s", "u")]
    assert items_of(sessionised) == [["a", "b"]]


def test_session_numbers_counted_by_user_do_not_mix_users(tmp_path: Path) -> None:
    events = [Event("u", "a", 0, "1"), Event("v", "b", 1, "1"), Event("u", "c", 2, "1")]
    assert items_of(sessions_of(tmp_path, events)) == [["a", "c"], ["b"]]


def test_events_without_user_and_session_are_counted_and_left_out(tmp_path: Path) -> None:
    sessionised = sessions_of(tmp_path, [Event(None, "a", 0), Event("u", "b", 0)])
    assert (sessionised.events_in, sessionised.unattributed) == (2, 1)
    assert items_of(sessionised) == [["b"]]


def test_equal_times_are_ordered_by_the_log(tmp_path: Path) -> None:
    events = [Event("u", "c", 5), Event("u", "a", 5), Event("u", "b", 5), Event("u", "d", 0)]
    assert items_of(sessions_of(tmp_path, events)) == [["d", "c", "a", "b"]]


def test_gap_session_is_named_by_user_and_start(tmp_path: Path) -> None:
    sessionised = sessions_of(tmp_path, [Event("u", "a", 90.5), Event("u", "b", 91)])
    assert sessionised.sessions["session_id"].to_list() == ["u/2023-01-01T01:30:30.000000Z"]


def test_sessions_are_ordered_by_start_then_id(tmp_path: Path) -> None:
    events = [Event("u", "a", 9, "z"), Event("u", "b", 1, "y"), Event("u", "c", 1, "x")]
    sessionised = sessions_of(tmp_path, events)
    assert sessionised.sessions["session_id"].to_list() == ["x", "y", "z"]


def test_start_and_end_are_the_first_and_last_event(tmp_path: Path) -> None:
    sessionised = sessions_of(tmp_path, [Event("u", "a", 3), Event("u", "b", 8)])
    start, end = sessionised.sessions.row(0)[2:]
    assert (start, end) == (DAY_ONE + timedelta(minutes=3), DAY_ONE + timedelta(minutes=8))


def test_consecutive_repeats_collapse_to_the_first(tmp_path: Path) -> None:
    events = [Event("u", item, minute) for minute, item in enumerate("aabaa")]
    sessionised = sessions_of(tmp_path, events)
    assert items_of(sessionised) == [["a", "b", "a"]]
    assert sessionised.repeats == 2
    assert sessionised.sessions["end"].to_list() == [DAY_ONE + timedelta(minutes=3)]


def test_repeats_still_keep_a_session_going(tmp_path: Path) -> None:
    events = [Event("u", "a", 0), Event("u", "a", 20), Event("u", "b", 40)]
    assert items_of(sessions_of(tmp_path, events)) == [["a", "b"]]


def test_repeats_in_two_sessions_do_not_collapse(tmp_path: Path) -> None:
    sessionised = sessions_of(tmp_path, [Event("u", "a", 0), Event("u", "a", 60)])
    assert items_of(sessionised) == [["a"], ["a"]]


def test_repeats_stay_when_not_collapsed(tmp_path: Path) -> None:
    events = [Event("u", "a", 0), Event("u", "a", 1)]
    sessionised = sessions_of(tmp_path, events, collapse_repeats=False)
    assert items_of(sessionised) == [["a", "a"]]
    assert sessionised.repeats == 0


def test_small_memory_limit_gives_the_same_sessions(tmp_path: Path) -> None:
    events = [Event(f"u{n % 50}", f"i{n * 7919 % 301}", n * 0.9) for n in range(5_000)]
    log = write_log(tmp_path / "events", events)
    small = sessionise(log, gap_minutes=30, collapse_repeats=True, memory_limit="60MB")
    large = sessionise(log, gap_minutes=30, collapse_repeats=True, memory_limit="2GB")
    assert small.events.equals(large.events)
    assert small.sessions.equals(large.sessions)


def test_directory_without_events_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionsError, match=r"holds no events.*interactions/events"):
        sessionise(tmp_path, gap_minutes=30, collapse_repeats=True)


def test_empty_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "date=2023-01-01").mkdir()
    pl.DataFrame(schema=EVENTS).write_parquet(tmp_path / "date=2023-01-01" / "part-0.parquet")
    with pytest.raises(SessionsError, match=r"holds no events.*rejected"):
        sessionise(tmp_path, gap_minutes=30, collapse_repeats=True)


def test_log_that_says_neither_user_nor_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionsError, match=r"user_id.*CROSSREC_EVENT_COLUMNS"):
        sessions_of(tmp_path, [Event(None, "a", 0), Event(None, "b", 1)])


def slow_and_obvious(events: Sequence[Event], gap: timedelta, collapse: bool) -> list[Session]:
    """Walk through the events one by one."""
    users_of = defaultdict(set)
    for event in events:
        if event.session_id is not None and event.user_id is not None:
            users_of[event.session_id].add(event.user_id)
    streams = defaultdict(list)
    for event in sorted(events, key=lambda event: event.timestamp):  # stable: log order stays
        user_id = event.user_id
        if event.session_id is not None and user_id is None:
            user_id = min(users_of[event.session_id], default=None)
        if event.session_id is not None or user_id is not None:
            streams[event.session_id, user_id].append(event)

    sessions: list[Session] = []
    for (session_id, user_id), stream in streams.items():
        runs = [[stream[0]]]
        for before, event in pairwise(stream):
            if session_id is None and event.timestamp - before.timestamp > gap:
                runs.append([])
            runs[-1].append(event)
        for run in runs:
            kept = [run[0]]
            for before, event in pairwise(run):
                if not (collapse and event.item_id == before.item_id):
                    kept.append(event)
            start = run[0].timestamp.replace(tzinfo=None).isoformat(timespec="microseconds")
            name = session_id if session_id is not None else f"{user_id}/{start}Z"
            sessions.append((name, user_id, [(e.item_id, e.timestamp) for e in kept]))
    return sorted(sessions, key=lambda s: (s[2][0][1], s[0], s[1] is not None, s[1] or ""))


minutes = st.builds(
    lambda tens, microseconds: 60 + 10 * tens + microseconds * MICROSECOND,
    st.integers(0, 20),
    st.sampled_from([0, 0, -1, 1]),
)
an_event = st.builds(
    Event,
    user_id=st.sampled_from([None, "u", "v"]),
    item_id=st.sampled_from("abc"),
    minute=minutes,
    session_id=st.sampled_from([None, None, "s", "t"]),
)


@settings(max_examples=40, deadline=None)
@given(
    events=st.lists(an_event, min_size=1, max_size=25).filter(
        lambda events: any(e.user_id or e.session_id for e in events)
    ),
    collapse=st.booleans(),
)
def test_sessions_are_those_of_a_slow_and_obvious_walk(events: list[Event], collapse: bool) -> None:
    with TemporaryDirectory() as directory:
        log = write_log(Path(directory), events)
        sessionised = sessionise(log, gap_minutes=30, collapse_repeats=collapse)
    assert listed(sessionised) == slow_and_obvious(events, timedelta(minutes=30), collapse)
    kept = sessionised.events.height
    assert kept + sessionised.repeats + sessionised.unattributed == len(events)
