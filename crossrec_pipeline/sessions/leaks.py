"""From a split session data set and the log it was made of to what of the future lies in the past.

Each function looks for one leak and trusts neither the code that split the log nor the others. A
leak makes every figure of the evaluation too good, and nothing else shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.sessions.split import CutTimes
from crossrec_pipeline.sessions.store import PARTS, SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

LEAKS: dict[str, str] = {
    "parts_in_time": "Train ends before the validation cut, validation before the test cut.",
    "sessions_in_one_part": "No session lies in two parts, by its ids or by its user and start.",
    "users_future": "No session of train or validation comes after a test session of its user.",
    "vocabulary_of_train": "Items and their supports come from events before the validation cut.",
    "repeated_sessions": "No session of train is in validation or test too, under another id.",
    "cold_items": "No item that first occurs after the validation cut is in the vocabulary.",
}
"""What each leak's absence means, by name."""

LOG_ITEMS: dict[str, pl.DataType] = {"item_id": pl.String(), "before": pl.Int64()}
"""One row an item of the log; `before` counts its events before the validation cut."""

_EXAMPLES = 3


@dataclass(frozen=True)
class LeakFinding:
    """What one function found.

    Attributes
    ----------
    name
        A key of `LEAKS`.
    n_found
        How many sessions, users or items leak; 0 where all is well.
    examples
        Up to three of them, in words.
    """

    name: str
    n_found: int
    examples: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing leaks."""
        return self.n_found == 0

    def __str__(self) -> str:
        if self.passed:
            return "nothing found"
        return f"{self.n_found:,} found, such as {'; '.join(self.examples)}"


def read_log_items(events_dir: Path, validation_us: int) -> pl.DataFrame:
    """Count each item's events before the validation cut, from the log itself.

    Parameters
    ----------
    events_dir
        Holds ``date=*/part-*.parquet`` with the columns of `interactions.schema.EVENTS`.
    validation_us
        The validation cut, µs since 1970 UTC.

    Returns
    -------
    pl.DataFrame
        Columns of `LOG_ITEMS`, in any order.
    """
    before = pl.col("timestamp").to_physical() < validation_us
    return (
        pl.scan_parquet(events_dir / "date=*" / "part-*.parquet", hive_partitioning=False)
        .group_by("item_id")
        .agg(before.sum().cast(pl.Int64).alias("before"))
        .collect()
    )


def audit_leaks(
    dataset: SessionDataset, cuts: CutTimes, log_items: pl.DataFrame
) -> list[LeakFinding]:
    """Look for every leak of `LEAKS`, in their order.

    Parameters
    ----------
    dataset
        The split sessions and their vocabulary.
    cuts
        Where time was cut.
    log_items
        Columns of `LOG_ITEMS`, of the log that the sessions were made of.
    """
    return [
        find_parts_out_of_time(dataset, cuts),
        find_sessions_in_two_parts(dataset),
        find_users_future(dataset),
        find_vocabulary_not_of_train(dataset, log_items),
        find_repeated_sessions(dataset),
        find_cold_items(dataset.vocabulary, log_items),
    ]


def find_parts_out_of_time(dataset: SessionDataset, cuts: CutTimes) -> LeakFinding:
    """Find sessions with an event outside the time of their part."""
    bounds = (
        (dataset.train, None, cuts.validation_us),
        (dataset.validation, cuts.validation_us, cuts.test_us),
        (dataset.test, cuts.test_us, None),
    )
    found: list[str] = []
    for name, (store, begin, end) in zip(PARTS, bounds, strict=True):
        outside = np.zeros(store.n_sessions, dtype=bool)
        if begin is not None:
            outside |= np.asarray(store.start_us) < begin
        if end is not None:
            outside |= np.asarray(store.end_us) >= end
        found += [_describe(name, store, int(session)) for session in np.flatnonzero(outside)]
    return _finding("parts_in_time", found)


def find_sessions_in_two_parts(dataset: SessionDataset) -> LeakFinding:
    """Find sessions of equal ids, or of equal user and start, in two parts."""
    found: list[str] = []
    frames = {name: _sessions(name, getattr(dataset, name)) for name in PARTS}
    for earlier, later in combinations(PARTS, 2):
        one, other = frames[earlier], frames[later]
        of_ids = other.join(one, on=["session_id", "user_id"], how="semi", nulls_equal=True)
        # Anonymous sessions may well start together, and nulls are not equal here.
        of_start = other.join(one, on=["user_id", "start_us"], how="semi")
        found += [*of_ids["name"], *of_start["name"]]
    return _finding("sessions_in_one_part", list(dict.fromkeys(found)))


def find_users_future(dataset: SessionDataset) -> LeakFinding:
    """Find users with a session of an earlier part that ends after one of a later part begins.

    What a person did next would be learnt, and then asked for.
    """
    found: list[str] = []
    for earlier, later in combinations(PARTS, 2):
        last = _by_user(getattr(dataset, earlier), pl.col("end_us").max())
        first = _by_user(getattr(dataset, later), pl.col("start_us").min())
        late = last.join(first, on="user_id").filter(pl.col("end_us") >= pl.col("start_us"))
        found += [f"user {user} in {earlier} after {later}" for user in late["user_id"].sort()]
    return _finding("users_future", found)


def find_vocabulary_not_of_train(dataset: SessionDataset, log_items: pl.DataFrame) -> LeakFinding:
    """Find items whose support is not that of train, and item indexes outside the vocabulary.

    A support is counted before sessions that became too short go, and without repeats and
    sessions that straddle a cut. So it lies between the item's events in train and its events in
    the log before the validation cut.
    """
    n_items = dataset.vocabulary.n_items
    found = [
        f"item index {index} in {name}, of {n_items} items"
        for name in PARTS
        for index in np.unique(getattr(dataset, name).item_index)
        if not 0 <= index < n_items
    ]
    train = np.asarray(dataset.train.item_index)
    in_train = np.bincount(train[(train >= 0) & (train < n_items)], minlength=n_items)
    counted = dataset.vocabulary.frame.join(
        log_items, on="item_id", how="left", maintain_order="left"
    ).with_columns(pl.col("before").fill_null(0), in_train=pl.Series(in_train, dtype=pl.Int64))
    fits = pl.col("support").is_between(pl.col("in_train"), pl.col("before"))
    wrong = counted.filter(~fits | (pl.col("support") < 1))
    found += [
        f"{row['item_id']} with support {row['support']}, {row['in_train']} events in train and "
        f"{row['before']} in the log before the validation cut"
        for row in wrong.iter_rows(named=True)
    ]
    return _finding("vocabulary_of_train", found)


def find_repeated_sessions(dataset: SessionDataset) -> LeakFinding:
    """Find sessions of validation and test that train has too: same user, start and items.

    Sessions without a user are compared with one another by start and items.
    """
    keys = ["user_id", "start_us", "n_events"]
    train = _sessions("train", dataset.train)
    found: list[str] = []
    for name in PARTS[1:]:
        store: SessionStore = getattr(dataset, name)
        pairs = _sessions(name, store).join(train, on=keys, nulls_equal=True, suffix="_train")
        found += [
            row["name"]
            for row in pairs.iter_rows(named=True)
            if np.array_equal(store[row["session"]], dataset.train[row["session_train"]])
        ]
    return _finding("repeated_sessions", list(dict.fromkeys(found)))


def find_cold_items(vocabulary: Vocabulary, log_items: pl.DataFrame) -> LeakFinding:
    """Find items of a vocabulary that do not occur in the log before the validation cut.

    They serve as canaries: nothing that was learnt from train alone can know of them.
    """
    cold = log_items.filter(pl.col("before") == 0)["item_id"].sort()
    return _finding("cold_items", [item_id for item_id in cold if item_id in vocabulary])


def _sessions(part: str, store: SessionStore) -> pl.DataFrame:
    return store.keys.with_columns(
        session=pl.int_range(pl.len()),
        start_us=pl.Series(np.asarray(store.start_us)),
        n_events=pl.Series(store.lengths),
        name=pl.format("session {} of {}", "session_id", pl.lit(part)),
    )


def _by_user(store: SessionStore, time: pl.Expr) -> pl.DataFrame:
    return (
        store.keys.with_columns(
            start_us=pl.Series(np.asarray(store.start_us)),
            end_us=pl.Series(np.asarray(store.end_us)),
        )
        .drop_nulls("user_id")
        .group_by("user_id")
        .agg(time)
    )


def _describe(part: str, store: SessionStore, session: int) -> str:
    return f"session {store.keys['session_id'][session]} of {part}"


def _finding(name: str, found: Sequence[str]) -> LeakFinding:
    return LeakFinding(name, len(found), tuple(found[:_EXAMPLES]))
