import dataclasses
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import SessionsError, SettingsError
from crossrec_pipeline.sessions.dataset import build_session_dataset
from crossrec_pipeline.sessions.split import CutTimes
from crossrec_pipeline.sessions.statistics import SessionStatistics
from crossrec_pipeline.sessions.store import PARTS, SessionDataset
from crossrec_pipeline.settings import SessionSettings, SplitSettings
from crossrec_pipeline_tests.sessions.assembling import assemble_with_cuts
from crossrec_pipeline_tests.sessions.logs import DAY_ONE, Event, write_log

SPLIT = SplitSettings(validation_share=0.2, test_share=0.2)
ITEMS = pl.DataFrame(
    {
        "item_id": [f"{kind}_{name}" for kind in ("Book", "Movie") for name in "abcdefgh"],
        "item_type": ["Book"] * 8 + ["Movie"] * 8,
        "title": list("abcdefgh") * 2,
    }
)


def visit(items: str, start: float, user: str = "u") -> list[Event]:
    """Make a session a minute an event: small letters are movies, capitals are books."""
    return [
        Event(user, f"Movie_{name}" if name.islower() else f"Book_{name.lower()}", start + minute)
        for minute, name in enumerate(items)
    ]


def days(*of_day: Sequence[Event]) -> list[Event]:
    """Shift the n-th list of events to day n."""
    return [
        dataclasses.replace(event, minute=event.minute + day * 24 * 60)
        for day, events in enumerate(of_day)
        for event in events
    ]


def build(
    tmp_path: Path,
    events: Sequence[Event],
    *,
    min_support: int = 1,
    max_length: int = 50,
    min_length: int = 2,
    collapse_repeats: bool = True,
) -> tuple[SessionDataset, SessionStatistics]:
    """Build with day 1 as validation and day 2 as test."""
    log = write_log(tmp_path / "events", events)
    return assemble_with_cuts(
        log,
        ITEMS,
        SessionSettings(
            min_support=min_support,
            max_length=max_length,
            min_length=min_length,
            collapse_repeats=collapse_repeats,
        ),
        CutTimes(_day_us(1), _day_us(2)),
    )


def _day_us(day: int) -> int:
    return round((DAY_ONE + timedelta(days=day)).timestamp()) * 1_000_000


def names(dataset: SessionDataset, part: str) -> list[str]:
    """Spell a part's sessions as `visit` does."""
    spelled = []
    for session in getattr(dataset, part):
        ids = [dataset.vocabulary.item_ids[index] for index in session]
        spelled.append("".join(i[-1] if i.startswith("Movie") else i[-1].upper() for i in ids))
    return spelled


TRAIN_DAY = [
    *visit("abc", 0),
    *visit("abd", 100),
    *visit("ba", 200),
    *visit("aBc", 300),
    *visit("abab", 400),
]


def test_parts_follow_each_other_in_time(tmp_path: Path) -> None:
    dataset, statistics = build(tmp_path, days(TRAIN_DAY, visit("abcab", 0), visit("cbaba", 0)))
    assert names(dataset, "train") == ["abc", "abd", "ba", "aBc", "abab"]
    assert names(dataset, "validation") == ["abcab"]
    assert names(dataset, "test") == ["cbaba"]
    assert statistics.validation_cut == "2023-01-02T00:00:00+00:00"
    assert statistics.test_cut == "2023-01-03T00:00:00+00:00"


def test_vocabulary_is_ordered_by_support_then_id(tmp_path: Path) -> None:
    dataset, _ = build(tmp_path, days(TRAIN_DAY, visit("ab", 0), visit("ab", 0)))
    vocabulary = dataset.vocabulary.frame
    assert vocabulary.rows() == [
        (0, "Movie_a", "Movie", "a", 6),
        (1, "Movie_b", "Movie", "b", 5),
        (2, "Movie_c", "Movie", "c", 2),
        (3, "Book_b", "Book", "b", 1),
        (4, "Movie_d", "Movie", "d", 1),
    ]


def test_order_of_files_and_catalogue_does_not_change_the_data_set(tmp_path: Path) -> None:
    events = [event for day in range(10) for event in visit("abcdaBcb", day * 24 * 60)]
    settings = SessionSettings(min_support=1)
    forward = write_log(tmp_path / "forward", events)
    backward = write_log(tmp_path / "backward", events[::-1])
    one, _ = build_session_dataset(forward, ITEMS, settings, SPLIT)
    other, _ = build_session_dataset(backward, ITEMS.reverse(), settings, SPLIT)
    assert one.vocabulary.frame.equals(other.vocabulary.frame)
    for part in PARTS:
        assert getattr(one, part).item_index.tolist() == getattr(other, part).item_index.tolist()


def test_cuts_follow_the_shares(tmp_path: Path) -> None:
    events = [event for day in range(10) for event in visit("abcdaBcb", day * 24 * 60)]
    log = write_log(tmp_path / "events", events)
    _, statistics = build_session_dataset(log, ITEMS, SessionSettings(min_support=1), SPLIT)
    assert statistics.events == {"train": 48, "validation": 16, "test": 16}
    assert statistics.validation_cut == "2023-01-07T00:00:00+00:00"
    assert statistics.test_cut == "2023-01-09T00:00:00+00:00"


def test_straddling_session_is_dropped_and_counted(tmp_path: Path) -> None:
    over_midnight = visit("abcd", 24 * 60 - 2, user="v")
    dataset, statistics = build(
        tmp_path, days([*TRAIN_DAY, *over_midnight], visit("abcab", 0), visit("cbaba", 0))
    )
    assert statistics.dropped_sessions.straddling == 1
    assert statistics.dropped_events.straddling_sessions == 4
    assert dataset.train.end_us.max() < dataset.validation.start_us.min()


def test_rare_item_of_train_is_dropped_and_counted(tmp_path: Path) -> None:
    dataset, statistics = build(
        tmp_path, days(TRAIN_DAY, visit("abab", 0), visit("abab", 0)), min_support=2
    )
    # d and B occur once: "abd" becomes "ab", "aBc" becomes "ac".
    assert names(dataset, "train") == ["abc", "ab", "ba", "ac", "abab"]
    assert statistics.low_support_items == 2
    assert statistics.dropped_events.low_support == 2


def test_items_that_train_does_not_know_are_cold(tmp_path: Path) -> None:
    dataset, statistics = build(tmp_path, days(TRAIN_DAY, visit("aebec", 0), visit("afbgba", 0)))
    assert names(dataset, "validation") == ["abc"]
    assert names(dataset, "test") == ["aba"]
    assert statistics.cold_events == {"validation": 2, "test": 2}
    assert statistics.cold_items == {"validation": 1, "test": 2}
    assert statistics.dropped_events.cold == 4
    # In "afbgba" the two b meet once g is gone.
    assert statistics.dropped_events.collapsed_repeats == 1


def test_items_of_later_parts_do_not_enter_the_vocabulary(tmp_path: Path) -> None:
    dataset, _ = build(tmp_path, days(TRAIN_DAY, visit("aeb", 0), visit("afb", 0)))
    assert "Movie_e" not in dataset.vocabulary
    assert "Movie_f" not in dataset.vocabulary


def test_repeats_that_meet_stay_when_not_collapsed(tmp_path: Path) -> None:
    dataset, _ = build(
        tmp_path, days(TRAIN_DAY, visit("aea", 0), visit("aab", 0)), collapse_repeats=False
    )
    assert names(dataset, "validation") == ["aa"]
    assert names(dataset, "test") == ["aab"]


def test_reloads_do_not_count_as_support(tmp_path: Path) -> None:
    dataset, _ = build(
        tmp_path,
        days([*TRAIN_DAY, *visit("adddd", 500)], visit("abab", 0), visit("abab", 0)),
        min_support=3,
    )
    assert "Movie_d" not in dataset.vocabulary


def test_items_seen_in_single_event_sessions_only_do_not_enter(tmp_path: Path) -> None:
    singles = [Event(f"lonely {n}", "Movie_h", 500 + n) for n in range(4)]
    dataset, statistics = build(
        tmp_path, days([*TRAIN_DAY, *singles], visit("ab", 0), visit("ab", 0))
    )
    assert "Movie_h" not in dataset.vocabulary
    assert statistics.dropped_sessions.short == 4
    assert statistics.dropped_events.short_sessions == 4


def test_session_that_becomes_too_short_is_dropped(tmp_path: Path) -> None:
    dataset, statistics = build(
        tmp_path, days(TRAIN_DAY, [*visit("ab", 0), *visit("ae", 60)], visit("abc", 0))
    )
    assert names(dataset, "validation") == ["ab"]
    assert statistics.dropped_sessions.short == 1
    assert (statistics.dropped_events.cold, statistics.dropped_events.short_sessions) == (1, 1)


def test_long_session_is_cut_and_its_leftover_counted(tmp_path: Path) -> None:
    dataset, statistics = build(
        tmp_path, days(TRAIN_DAY, visit("abcabca", 0), visit("abcab", 0)), max_length=3
    )
    assert names(dataset, "validation") == ["abc", "abc"]
    assert names(dataset, "test") == ["abc", "ab"]
    assert names(dataset, "train") == ["abc", "abd", "ba", "aBc", "aba"]
    assert statistics.dropped_events.leftover_pieces == 2
    assert statistics.dropped_sessions.leftover_pieces == 2


def test_pieces_have_ids_and_times_of_their_own(tmp_path: Path) -> None:
    dataset, _ = build(tmp_path, days(TRAIN_DAY, visit("abcab", 0), visit("ab", 0)), max_length=3)
    store = dataset.validation
    assert store.keys.rows() == [
        ("u/2023-01-02T00:00:00.000000Z", "u"),
        ("u/2023-01-02T00:00:00.000000Z#2", "u"),
    ]
    minute = 60_000_000
    assert (store.start_us - store.start_us[0]).tolist() == [0, 3 * minute]
    assert (store.end_us - store.start_us[0]).tolist() == [2 * minute, 4 * minute]


def test_sessions_are_ordered_by_the_start_of_what_is_left_of_them(tmp_path: Path) -> None:
    validation = [*visit("eab", 0, user="u"), *visit("ba", 0.5, user="v")]
    dataset, _ = build(tmp_path, days(TRAIN_DAY, validation, visit("abab", 0)))
    assert names(dataset, "validation") == ["ba", "ab"]


def test_shares_of_mixed_sessions_and_mean_lengths_are_by_part(tmp_path: Path) -> None:
    _, statistics = build(tmp_path, days(TRAIN_DAY, visit("abc", 0), visit("aB", 0)))
    assert statistics.multi_type_share == {"train": 0.2, "validation": 0.0, "test": 1.0}
    assert statistics.mean_length == {"train": 3.0, "validation": 3.0, "test": 2.0}


def test_statistics_are_json(tmp_path: Path) -> None:
    _, statistics = build(tmp_path, days(TRAIN_DAY, visit("abc", 0), visit("aB", 0)))
    read_back = json.loads(json.dumps(statistics.as_dict()))
    assert read_back["events"] == {"train": 15, "validation": 3, "test": 2}
    assert read_back["items"] == 5
    assert read_back["dropped_events"]["cold"] == 0


def test_saved_data_set_opens_equal(tmp_path: Path) -> None:
    dataset, _ = build(tmp_path, days(TRAIN_DAY, visit("abc", 0), visit("aB", 0)))
    dataset.save(tmp_path / "sessions")
    opened = SessionDataset.open(tmp_path / "sessions")
    for part in PARTS:
        assert names(opened, part) == names(dataset, part)
        assert getattr(opened, part).keys.equals(getattr(dataset, part).keys)


def test_sessions_of_one_event_are_refused_with_what_to_change(tmp_path: Path) -> None:
    hours = [Event("u", f"Movie_{name}", 60 * hour) for hour, name in enumerate("abcdef")]
    log = write_log(tmp_path / "events", hours)
    with pytest.raises(SessionsError, match=r"All 6 sessions.*CROSSREC_SESSIONS__GAP_MINUTES"):
        build_session_dataset(log, ITEMS, SessionSettings(), SPLIT)


@pytest.mark.parametrize("part", PARTS)
def test_part_without_a_whole_session_is_refused(tmp_path: Path, part: str) -> None:
    of_day = [visit("abc", 0), visit("abc", 0), visit("abc", 0)]
    of_day[PARTS.index(part)] = []
    over_the_first_cut = visit("abcd", 24 * 60 - 2, user="v")
    events = [*days(*of_day), *over_the_first_cut]
    with pytest.raises(
        SessionsError, match=f"No session lies wholly in {part}: 1 of 3 sessions straddle"
    ):
        build(tmp_path, events)


def test_no_item_with_enough_support_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionsError, match=r"most frequent has 6.*CROSSREC_SESSIONS__MIN_SUPPORT"):
        build(tmp_path, days(TRAIN_DAY, visit("ab", 0), visit("ab", 0)), min_support=7)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_part_of_cold_items_only_is_refused(tmp_path: Path, part: str) -> None:
    of_day = {"validation": visit("abc", 0), "test": visit("abc", 0), part: visit("efg", 0)}
    with pytest.raises(SessionsError, match=f"Nothing is left of {part}: 3 of its events"):
        build(tmp_path, days(TRAIN_DAY, of_day["validation"], of_day["test"]))


def test_train_without_sessions_of_frequent_items_is_refused(tmp_path: Path) -> None:
    train = [*visit("ab", 0), *visit("ac", 100), *visit("ad", 200), *visit("ae", 300)]
    with pytest.raises(SessionsError, match=r"Nothing is left of train.*MIN_SUPPORT"):
        build(tmp_path, days(train, visit("ab", 0), visit("ab", 0)), min_support=2)


def test_item_missing_from_the_catalogue_is_named(tmp_path: Path) -> None:
    events = [event for day in range(10) for event in visit("abcdaBcb", day * 24 * 60)]
    log = write_log(tmp_path / "events", events)
    without_b = ITEMS.filter(pl.col("item_id") != "Movie_b")
    with pytest.raises(SessionsError, match=r"1 item.*'Movie_b'.*interactions/events"):
        build_session_dataset(log, without_b, SessionSettings(min_support=1), SPLIT)


def test_maximum_length_below_minimum_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MAX_LENGTH=2 .*MIN_LENGTH=3"):
        build_session_dataset(tmp_path, ITEMS, SessionSettings(min_length=3, max_length=2), SPLIT)


def random_log(seed: int) -> list[Event]:
    random = np.random.default_rng(seed)
    users, items = (
        [None, "u", "v", "w"],
        [f"{kind}_{n}" for kind in ("Movie", "Book") for n in "abc"],
    )
    return [
        Event(
            users[random.choice(4, p=[0.05, 0.35, 0.3, 0.3])],
            items[random.integers(6)],
            7.0 * random.integers(400),
        )
        for _ in range(250)
    ]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000_000),
    min_support=st.integers(1, 40),
    max_length=st.integers(2, 6),
    collapse_repeats=st.booleans(),
)
def test_every_event_is_kept_or_counted_once(
    seed: int, min_support: int, max_length: int, collapse_repeats: bool
) -> None:
    events = random_log(seed)
    with TemporaryDirectory() as directory:
        log = write_log(Path(directory) / "events", events)
        try:
            dataset, statistics = build_session_dataset(
                log,
                ITEMS,
                SessionSettings(
                    min_support=min_support,
                    max_length=max_length,
                    collapse_repeats=collapse_repeats,
                ),
                SPLIT,
            )
        except SessionsError:
            assume(False)
            return
    assert statistics.events_in == len(events)
    assert sum(statistics.events.values()) + statistics.dropped_events.total == len(events)
    assert dataset.vocabulary.support.min() >= min_support
    assert np.all(
        np.bincount(dataset.train.item_index)
        <= dataset.vocabulary.support[: dataset.train.item_index.max() + 1]
    )
    assert dataset.train.end_us.max() < dataset.validation.start_us.min()
    assert dataset.validation.end_us.max() < dataset.test.start_us.min()
    for part in PARTS:
        store = getattr(dataset, part)
        assert store.n_events == statistics.events[part]
        assert store.n_sessions == statistics.sessions[part] == store.keys.height
        assert store.lengths.min() >= 2
        assert store.lengths.max() <= max_length
        assert np.all(np.diff(store.start_us) >= 0)
        assert np.all(store.start_us <= store.end_us)
        if collapse_repeats:
            assert all(np.all(session[1:] != session[:-1]) for session in store)
