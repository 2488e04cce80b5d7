"""Each leak is made on purpose, in a data set that is clean but for it."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.sessions.dataset import build_session_dataset
from crossrec_pipeline.sessions.leaks import (
    LEAKS,
    LOG_ITEMS,
    LeakFinding,
    audit_leaks,
    find_cold_items,
    find_parts_out_of_time,
    find_repeated_sessions,
    find_sessions_in_two_parts,
    find_users_future,
    find_vocabulary_not_of_train,
    read_log_items,
)
from crossrec_pipeline.sessions.split import CutTimes
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import SessionSettings, SplitSettings
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary
from crossrec_pipeline_tests.sessions.assembling import assemble_with_cuts
from crossrec_pipeline_tests.sessions.logs import DAY_ONE, Event, write_log

CUTS = CutTimes(validation_us=1_000, test_us=2_000)
VOCABULARY = Vocabulary.from_items(
    numbered_vocabulary(3).frame.with_columns(support=pl.Series([3, 2, 1]))
)
LOG = pl.DataFrame(
    {"item_id": ["Movie_0", "Movie_1", "Movie_2", "Movie_9"], "before": [4, 2, 1, 0]},
    schema=LOG_ITEMS,
)


def store(*rows: tuple[str, str | None, int, list[int]]) -> SessionStore:
    """Make sessions of an id, a user, a start (µs) and items; they last 10 µs."""
    ids, users, starts, items = zip(*rows, strict=True)
    return dataclasses.replace(
        SessionStore.from_sequences(items),
        start_us=np.array(starts, dtype=np.int64),
        end_us=np.array(starts, dtype=np.int64) + 10,
        keys=pl.DataFrame(
            {"session_id": ids, "user_id": users},
            schema={"session_id": pl.String, "user_id": pl.String},
        ),
    )


CLEAN = SessionDataset(
    train=store(("a", "ann", 100, [0, 1, 0]), ("b", "bob", 200, [0, 1]), ("c", None, 300, [0, 2])),
    validation=store(("d", "ann", 1_000, [0, 1]), ("e", None, 1_000, [2, 1])),
    test=store(("f", "ann", 2_000, [0, 1]), ("g", None, 2_100, [0, 2])),
    vocabulary=Vocabulary.from_items(VOCABULARY.frame.with_columns(support=pl.Series([4, 2, 1]))),
)


def leaking(**parts: SessionStore) -> SessionDataset:
    return dataclasses.replace(CLEAN, **parts)


def with_support(*support: int) -> SessionDataset:
    frame = VOCABULARY.frame.with_columns(support=pl.Series(support))
    return dataclasses.replace(CLEAN, vocabulary=Vocabulary.from_items(frame))


def test_clean_data_set_has_no_leak() -> None:
    findings = audit_leaks(CLEAN, CUTS, LOG)
    assert [finding.name for finding in findings] == list(LEAKS)
    assert [finding for finding in findings if not finding.passed] == []


@pytest.mark.parametrize(
    ("parts", "example"),
    [
        ({"train": store(("late", "zoe", 990, [0, 1]))}, "session late of train"),
        ({"validation": store(("early", "zoe", 999, [0, 1]))}, "session early of validation"),
        ({"validation": store(("late", "zoe", 1_990, [0, 1]))}, "session late of validation"),
        ({"test": store(("early", "zoe", 1_999, [0, 1]))}, "session early of test"),
    ],
)
def test_event_outside_the_time_of_its_part_is_found(
    parts: dict[str, SessionStore], example: str
) -> None:
    finding = find_parts_out_of_time(leaking(**parts), CUTS)
    assert finding == LeakFinding("parts_in_time", 1, (example,))


def test_event_at_a_cut_lies_after_it() -> None:
    at_the_cuts = leaking(
        validation=store(("d", "ann", 1_000, [0, 1])), test=store(("f", "ann", 2_000, [0, 1]))
    )
    assert find_parts_out_of_time(at_the_cuts, CUTS).passed
    ending_at_the_cut = leaking(train=store(("a", "ann", 990, [0, 1])))
    assert not find_parts_out_of_time(ending_at_the_cut, CUTS).passed


def test_session_of_equal_ids_in_two_parts_is_found() -> None:
    both = leaking(test=store(("a", "ann", 2_000, [1, 2]), ("c", None, 2_100, [1, 2])))
    finding = find_sessions_in_two_parts(both)
    assert finding.n_found == 2
    assert finding.examples == ("session a of test", "session c of test")


def test_session_of_equal_user_and_start_in_two_parts_is_found() -> None:
    both = leaking(validation=store(("renamed", "bob", 200, [1, 2])))
    assert find_sessions_in_two_parts(both).examples == ("session renamed of validation",)


def test_equal_ids_of_two_users_are_two_sessions() -> None:
    assert find_sessions_in_two_parts(leaking(test=store(("a", "bob", 2_000, [0, 1])))).passed


def test_anonymous_sessions_may_start_together() -> None:
    assert find_sessions_in_two_parts(leaking(test=store(("z", None, 300, [1, 0])))).passed


@pytest.mark.parametrize(("part", "start"), [("train", 2_500), ("validation", 2_500)])
def test_session_after_a_test_session_of_its_user_is_found(part: str, start: int) -> None:
    finding = find_users_future(leaking(**{part: store(("later", "ann", start, [0, 1]))}))
    assert f"user ann in {part} after test" in finding.examples


def test_session_that_reaches_into_a_test_session_of_its_user_is_found() -> None:
    finding = find_users_future(leaking(validation=store(("long", "ann", 1_995, [0, 1]))))
    assert finding.examples == ("user ann in validation after test",)


def test_other_users_may_come_later() -> None:
    assert find_users_future(leaking(train=store(("later", "eve", 2_500, [0, 1])))).passed


def test_support_between_train_and_log_is_of_train() -> None:
    # Item 0 has 4 events in train's sessions, and 4 in the log before the cut.
    assert find_vocabulary_not_of_train(with_support(4, 2, 1), LOG).passed
    more_in_the_log = LOG.with_columns(before=pl.Series([9, 9, 9, 0]))
    assert find_vocabulary_not_of_train(with_support(5, 3, 2), more_in_the_log).passed


@pytest.mark.parametrize("support", [(5, 2, 1), (3, 2, 1), (4, 2, 0)])
def test_support_of_more_or_less_than_train_is_found(support: tuple[int, ...]) -> None:
    finding = find_vocabulary_not_of_train(with_support(*support), LOG)
    assert finding.n_found == 1


def test_item_without_a_train_event_in_the_vocabulary_is_found() -> None:
    unseen = LOG.filter(pl.col("item_id") != "Movie_2")
    finding = find_vocabulary_not_of_train(
        dataclasses.replace(CLEAN, train=store(("a", "ann", 100, [0, 1]))), unseen
    )
    assert finding.examples == (
        "Movie_2 with support 1, 0 events in train and 0 in the log before the validation cut",
    )


def test_item_index_outside_the_vocabulary_is_found() -> None:
    finding = find_vocabulary_not_of_train(leaking(test=store(("f", "ann", 2_000, [0, 3]))), LOG)
    assert finding.examples == ("item index 3 in test, of 3 items",)


def test_session_of_train_under_another_id_is_found() -> None:
    copied = leaking(test=store(("copy", "ann", 100, [0, 1, 0]), ("f", "ann", 2_000, [0, 1])))
    assert find_repeated_sessions(copied).examples == ("session copy of test",)


def test_anonymous_session_of_equal_start_and_items_is_found() -> None:
    assert not find_repeated_sessions(leaking(test=store(("z", None, 300, [0, 2])))).passed
    assert find_repeated_sessions(leaking(test=store(("z", None, 300, [0, 1])))).passed
    assert find_repeated_sessions(leaking(test=store(("z", None, 301, [0, 2])))).passed


def test_item_first_met_after_the_cut_in_the_vocabulary_is_found() -> None:
    leaked = numbered_vocabulary(10)
    assert find_cold_items(leaked, LOG) == LeakFinding("cold_items", 1, ("Movie_9",))
    assert find_cold_items(VOCABULARY, LOG).passed


def test_finding_tells_how_many_and_three_of_them() -> None:
    assert str(LeakFinding("cold_items", 0)) == "nothing found"
    assert str(LeakFinding("cold_items", 1_200, ("x", "y"))) == "1,200 found, such as x; y"


# The whole way from a log, with canaries


ITEMS = pl.DataFrame(
    {
        "item_id": [f"Movie_{index}" for index in range(12)] + ["Movie_canary"],
        "item_type": ["Movie"] * 13,
        "title": [str(index) for index in range(13)],
    }
)
N_DAYS = 40


def log_events() -> list[Event]:
    """Make 40 days of five sessions of four items each, by ten users."""
    return [
        Event(
            f"u{(day + n) % 10}", f"Movie_{(day * 5 + n + step) % 12}", day * 1_440 + n * 60 + step
        )
        for day in range(N_DAYS)
        for n in range(5)
        for step in range(4)
    ]


def canary_events() -> list[Event]:
    """Plant sessions of an item that nobody met before, among the last days' of the log."""
    return [
        Event(f"u{day % 10}", "Movie_canary" if step % 2 else "Movie_1", day * 1_440 + 700 + step)
        for day in range(N_DAYS - 4, N_DAYS)
        for step in range(20)
    ]


def test_canary_planted_in_test_is_in_no_part_and_not_in_the_vocabulary(tmp_path: Path) -> None:
    planted = write_log(tmp_path / "planted", [*log_events(), *canary_events()])
    split = SplitSettings(validation_share=0.15, test_share=0.15)
    dataset, statistics = build_session_dataset(planted, ITEMS, SessionSettings(), split)
    assert statistics.cold_items["test"] == 1
    assert "Movie_canary" not in dataset.vocabulary
    assert dataset.test.n_sessions > 0


def test_the_split_of_a_log_passes_the_audit(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", [*log_events(), *canary_events()])
    cuts = CutTimes(_day_us(30), _day_us(35))
    dataset, _ = assemble_with_cuts(log, ITEMS, SessionSettings(), cuts)
    log_items = read_log_items(log, cuts.validation_us)
    # 30 days of 5 sessions of 4 events over 12 items.
    assert log_items["before"].sum() == 600
    assert log_items.filter(item_id="Movie_canary")["before"].to_list() == [0]
    assert [str(finding) for finding in audit_leaks(dataset, cuts, log_items)] == [
        "nothing found"
    ] * len(LEAKS)


def test_a_vocabulary_of_the_whole_log_fails_the_audit(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", [*log_events(), *canary_events()])
    cuts = CutTimes(_day_us(30), _day_us(35))
    # Made with later cuts than those it is evaluated by.
    late = CutTimes(_day_us(38), _day_us(39.1))
    leaked, _ = assemble_with_cuts(log, ITEMS, SessionSettings(), late)
    failed = {
        finding.name
        for finding in audit_leaks(leaked, cuts, read_log_items(log, cuts.validation_us))
        if not finding.passed
    }
    assert failed == {"parts_in_time", "vocabulary_of_train", "cold_items"}


def _day_us(day: float) -> int:
    return round((DAY_ONE.timestamp() + day * 86_400) * 1_000_000)
