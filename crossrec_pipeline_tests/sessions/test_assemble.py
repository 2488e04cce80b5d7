from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions import day_files, event_inputs
from crossrec_pipeline.sessions.assemble import assemble
from crossrec_pipeline.sessions.dataset import build_session_dataset
from crossrec_pipeline.sessions.day_files import day_path, list_days
from crossrec_pipeline.sessions.days import bring_up_to_date, sessionise_day
from crossrec_pipeline.sessions.statistics import SessionStatistics
from crossrec_pipeline.sessions.store import PARTS, SessionDataset, SessionStore
from crossrec_pipeline.settings import SessionSettings, SplitSettings
from crossrec_pipeline_tests.sessions import reference
from crossrec_pipeline_tests.sessions.logs import DAY_ONE, Event, write_log
from crossrec_pipeline_tests.sessions.random_logs import (
    GAPS_MINUTES,
    ITEM_IDS,
    dense_log,
    logs,
    typed,
)

ITEMS = pl.DataFrame(
    {
        "item_id": ITEM_IDS,
        "item_type": [item_id.split("_")[0] for item_id in ITEM_IDS],
        "title": ITEM_IDS,
    }
)
SHARES = SplitSettings(validation_share=0.25, test_share=0.35)
DAYS = SplitSettings(validation_days=1, test_days=1)
MIDNIGHT = 24 * 60

dense_logs = st.builds(dense_log, st.integers(0, 1_000_000))
session_settings = st.builds(
    SessionSettings,
    gap_minutes=st.sampled_from(GAPS_MINUTES),
    min_length=st.integers(2, 3),
    max_length=st.integers(3, 5),
    min_support=st.integers(1, 4),
    collapse_repeats=st.booleans(),
    support_rounds=st.sampled_from([1, 1, 2, None]),
    event_inputs=st.booleans(),
)


def from_scratch(
    events: list[Event], sessions: SessionSettings, split: SplitSettings
) -> tuple[SessionDataset, SessionStatistics]:
    with TemporaryDirectory() as directory:
        log = write_log(Path(directory), events)
        return build_session_dataset(log, ITEMS, sessions, split)


def rows(store: SessionStore, item_ids: list[str]) -> list[tuple]:
    bounds = zip(store.start_us.tolist(), store.end_us.tolist(), strict=True)
    return [
        (*key, *bound, tuple(item_ids[index] for index in items))
        for key, bound, items in zip(store.keys.rows(), bounds, store, strict=True)
    ]


def known_of(store: SessionStore) -> tuple[list[str], list[str | None], list[int]]:
    """Return the types that have a code, and each event's type and gap."""
    assert store.events is not None
    names = [None, *store.events.names]
    types = [names[code] for code in store.events.event_type]
    return list(store.events.names), types, store.events.gap_s.tolist()


@settings(max_examples=40, deadline=None)
@given(
    events=st.one_of(logs(12, 60), dense_logs, dense_logs, dense_logs),
    sessions=session_settings,
    split=st.sampled_from([SHARES, DAYS]),
    rows_at_a_time=st.sampled_from([4, 1 << 20]),
    most_types=st.sampled_from([1, 254]),
    seed=st.integers(0, 99),
)
def test_data_set_is_that_of_slow_and_obvious_steps(
    events: list[Event],
    sessions: SessionSettings,
    split: SplitSettings,
    rows_at_a_time: int,
    most_types: int,
    seed: int,
) -> None:
    events = typed(events, seed)
    try:
        expected = reference.make_dataset(events, sessions, split)
    except reference.NoDatasetError:
        with pytest.raises(SessionsError):
            from_scratch(events, sessions, split)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_files, "ROWS_AT_A_TIME", rows_at_a_time)
        patch.setattr(event_inputs, "MOST_TYPES", most_types)
        dataset, statistics = from_scratch(events, sessions, split)
    vocabulary = dataset.vocabulary.frame.select("item_id", "support").rows()
    assert vocabulary == expected.vocabulary
    assert statistics.support_rounds == expected.support_rounds
    assert (statistics.validation_cut, statistics.test_cut) == (
        expected.cuts.validation_iso,
        expected.cuts.test_iso,
    )
    for part, wanted in zip(PARTS, expected.parts, strict=True):
        store = getattr(dataset, part)
        assert rows(store, dataset.vocabulary.item_ids) == [
            (s.name, s.user_id, s.times_us[0], s.times_us[-1], s.items) for s in wanted
        ]
        if sessions.event_inputs:
            names = reference.fit_types(expected.parts[0], most_types)
            assert known_of(store) == (
                names,
                [kind if kind in names else None for s in wanted for kind in s.types],
                [gap for s in wanted for gap in s.gaps_s],
            )
        else:
            assert store.events is None
        lengths = [len(s.items) for s in wanted]
        types = [len({item.split("_")[0] for item in s.items}) for s in wanted]
        assert statistics.events[part] == sum(lengths)
        assert statistics.sessions[part] == len(lengths)
        assert statistics.mean_length[part] == sum(lengths) / len(lengths)
        assert statistics.multi_type_share[part] == sum(n > 1 for n in types) / len(types)
    assert statistics.events_in == len(events)
    assert sum(statistics.events.values()) + statistics.dropped_events.total == len(events)


@settings(max_examples=10, deadline=None)
@given(events=dense_logs, sessions=session_settings, seed=st.integers(0, 99))
def test_days_built_in_any_order_and_again_after_late_events_give_the_data_set_of_one_go(
    events: list[Event], sessions: SessionSettings, seed: int
) -> None:
    events = typed(events, seed)
    try:
        expected, counts = from_scratch(events, sessions, SHARES)
    except SessionsError:
        assume(False)
        return
    # The last events of the log come late; they lie anywhere in time.
    early = events[: len(events) * 3 // 4]
    with TemporaryDirectory() as directory:
        log, by_day = write_log(Path(directory) / "events", early), Path(directory) / "by_day"
        folders = list(log.iterdir())
        Random(seed).shuffle(folders)
        for folder in folders:
            sessionise_day(
                folder,
                by_day / f"{folder.name}.parquet",
                sessions.gap_minutes,
                memory_limit=Random(seed).choice([None, "900KB"]),
                event_types=sessions.event_inputs,
            )
        late = write_log(log, events)
        days = bring_up_to_date(
            late, by_day, sessions.gap_minutes, event_types=sessions.event_inputs
        ).days
        target = Path(directory) / "sessions"
        found = assemble(by_day, days, ITEMS, sessions, SHARES, target)
        assert SessionDataset.open(target).digest == expected.digest
    assert found == counts


def visit(items: str, day: int, minute: float = 0, user: str = "u") -> list[Event]:
    return [
        Event(user, f"Movie_{name}", day * MIDNIGHT + minute + n) for n, name in enumerate(items)
    ]


def week() -> list[Event]:
    return [event for day in range(7) for event in visit("abcab", day)]


def test_parts_are_the_last_days_of_the_calendar() -> None:
    split = SplitSettings(validation_days=2, test_days=1)
    _, statistics = from_scratch(week(), SessionSettings(min_support=1), split)
    assert statistics.events == {"train": 20, "validation": 10, "test": 5}
    assert statistics.validation_cut == "2023-01-05T00:00:00+00:00"
    assert statistics.test_cut == "2023-01-07T00:00:00+00:00"


def test_more_days_than_the_log_has_are_refused() -> None:
    split = SplitSettings(validation_days=6, test_days=6)
    with pytest.raises(SessionsError, match="No session lies wholly in train"):
        from_scratch(week(), SessionSettings(), split)


def test_last_days_give_the_data_set_of_a_log_that_begins_there(tmp_path: Path) -> None:
    over_midnight = [Event("v", "Movie_a", 3 * MIDNIGHT - 2), Event("v", "Movie_b", 3 * MIDNIGHT)]
    over_midnight.append(Event("v", "Movie_c", 3 * MIDNIGHT + 2))
    events = sorted([*week(), *over_midnight], key=lambda event: event.minute)
    sessions = SessionSettings(min_support=1)
    log = write_log(tmp_path / "events", events)
    window, _ = build_session_dataset(log, ITEMS, sessions, DAYS, window_days=4)
    # The session over midnight begins with the window, without its first event.
    assert window.train.keys["session_id"].to_list()[:2] == [
        "u/2023-01-04T00:00:00.000000Z",
        "v/2023-01-04T00:00:00.000000Z",
    ]
    rest = [event for event in events if event.minute >= 3 * MIDNIGHT]
    expected, _ = from_scratch(rest, sessions, DAYS)
    assert window.digest == expected.digest


def core_log() -> list[Event]:
    # c has 2 events in train only while d has; d has 1. Without d, "cd" is too short for c.
    train = ["ab", "ab", "cd", "cab"]
    times = [event for n, items in enumerate(train) for event in visit(items, 0, 100 * n)]
    return [*times, *visit("ab", 1), *visit("ab", 2)]


@pytest.mark.parametrize(
    ("rounds", "made", "supports"),
    [
        (1, 1, [("Movie_a", 3), ("Movie_b", 3), ("Movie_c", 2)]),
        (2, 2, [("Movie_a", 3), ("Movie_b", 3)]),
        (None, 3, [("Movie_a", 3), ("Movie_b", 3)]),
        (9, 3, [("Movie_a", 3), ("Movie_b", 3)]),
    ],
)
def test_rare_items_and_short_sessions_are_left_out_in_turn(
    rounds: int | None, made: int, supports: list[tuple[str, int]]
) -> None:
    sessions = SessionSettings(min_support=2, support_rounds=rounds)
    dataset, statistics = from_scratch(core_log(), sessions, DAYS)
    assert dataset.vocabulary.frame.select("item_id", "support").rows() == supports
    assert statistics.support_rounds == made


def test_a_day_built_with_another_gap_is_refused(tmp_path: Path) -> None:
    by_day = tmp_path / "by_day"
    days = bring_up_to_date(write_log(tmp_path / "events", week()), by_day, 20).days
    with pytest.raises(
        SessionsError, match=r"date=2023-01-01.* gap of 20 minutes, not 30.*Rebuild"
    ):
        assemble(by_day, days, ITEMS, SessionSettings(), SHARES, tmp_path / "sessions")


def test_a_day_built_without_the_types_of_its_events_is_refused(tmp_path: Path) -> None:
    by_day, target = tmp_path / "by_day", tmp_path / "sessions"
    days = bring_up_to_date(write_log(tmp_path / "events", week()), by_day, 30).days
    with pytest.raises(SessionsError, match=r"2023-01-01.*EVENT_INPUTS=true asks for.*Rebuild"):
        assemble(by_day, days, ITEMS, SessionSettings(event_inputs=True), SHARES, target)


def test_types_that_train_does_not_have_are_unknown_in_the_other_parts() -> None:
    kinds = ["clicked"] * 4 + ["searched", "clicked", "scrolled"]
    events = [replace(e, event_type=kinds[int(e.minute // MIDNIGHT)]) for e in week()]
    sessions = SessionSettings(min_support=1, event_inputs=True)
    split = SplitSettings(validation_days=2, test_days=1)
    dataset, _ = from_scratch(events, sessions, split)
    assert known_of(dataset.train) == (["clicked"], ["clicked"] * 20, [0, 60, 60, 60, 60] * 4)
    assert known_of(dataset.validation)[:2] == (["clicked"], [None] * 5 + ["clicked"] * 5)
    assert known_of(dataset.test)[:2] == (["clicked"], [None] * 5)


def test_data_set_without_event_inputs_does_not_depend_on_what_the_days_have(
    tmp_path: Path,
) -> None:
    log, sessions = write_log(tmp_path / "events", week()), SessionSettings(min_support=1)
    digests = []
    for event_types in (False, True):
        by_day, target = tmp_path / f"by_day_{event_types}", tmp_path / f"sessions_{event_types}"
        days = bring_up_to_date(log, by_day, 30, event_types=event_types).days
        assemble(by_day, days, ITEMS, sessions, SHARES, target)
        digests.append(SessionDataset.open(target).digest)
        assert not list(target.glob("*/event_type*"))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("n_bytes", [0, 100])
def test_a_day_that_is_missing_or_not_whole_is_named(tmp_path: Path, n_bytes: int) -> None:
    by_day = tmp_path / "by_day"
    days = bring_up_to_date(write_log(tmp_path / "events", week()), by_day, 30).days
    path = day_path(by_day, days[2])
    path.write_bytes(path.read_bytes()[:n_bytes])
    if n_bytes == 0:
        path.unlink()
    with pytest.raises(SessionsError, match=r"date=2023-01-03\.parquet is missing.*Rebuild"):
        assemble(by_day, days, ITEMS, SessionSettings(), SHARES, tmp_path / "sessions")
    assert not (tmp_path / "sessions").exists()


def test_what_fails_leaves_the_data_set_of_before(tmp_path: Path) -> None:
    by_day, target = tmp_path / "by_day", tmp_path / "sessions"
    days = bring_up_to_date(write_log(tmp_path / "events", week()), by_day, 30).days
    assemble(by_day, days, ITEMS, SessionSettings(min_support=1), SHARES, target)
    before = SessionDataset.open(target).digest
    with pytest.raises(SessionsError, match="No item has 99 events"):
        assemble(by_day, days, ITEMS, SessionSettings(min_support=99), SHARES, target)
    assert SessionDataset.open(target).digest == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_progress_tells_of_each_step(tmp_path: Path) -> None:
    by_day, lines = tmp_path / "by_day", []
    days = bring_up_to_date(write_log(tmp_path / "events", week()), by_day, 30).days
    sessions, target = SessionSettings(min_support=1), tmp_path / "sessions"
    assemble(by_day, days, ITEMS, sessions, SHARES, target, None, lines.append)
    assert "35 events are in 7 sessions" in lines
    assert any("events are kept in" in line for line in lines)


def test_days_are_listed_in_order(tmp_path: Path) -> None:
    bring_up_to_date(write_log(tmp_path / "events", week()), tmp_path / "by_day", 30)
    first = DAY_ONE.date()
    assert list_days(tmp_path / "by_day") == [first + timedelta(days=n) for n in range(7)]
