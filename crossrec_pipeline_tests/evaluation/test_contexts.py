from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.contexts import CONTEXTS, GROUPS, check_contexts, contexts
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of

VOCABULARY = vocabulary_of(["Movie", "Movie", "Music", "Book", "Music"])


def store_of(
    sequences: list[list[int]],
    users: list[str | None] | None = None,
    starts: list[datetime] | None = None,
) -> SessionStore:
    plain = SessionStore.from_sequences(sequences)
    start_us = (
        plain.start_us
        if starts is None
        else np.array([int(start.timestamp()) * 1_000_000 for start in starts])
    )
    keys = plain.keys
    if users is not None:
        keys = keys.with_columns(user_id=pl.Series(users, dtype=pl.String))
    return SessionStore(plain.item_index, plain.offsets, start_us, start_us, keys)


def column(slice_: str, test: SessionStore, train: SessionStore | None = None) -> list[str]:
    return contexts(test, train or store_of([]), VOCABULARY)[slice_].to_list()


def test_rows_are_those_of_the_ranks():
    store = store_of([[0, 2, 1], [3], [4, 4]])
    model = Popularity()
    model.fit(store, VOCABULARY)

    found = contexts(store, store, VOCABULARY)

    check_contexts(found, rank_predictions(model, store, VOCABULARY))
    assert found.schema == pl.Schema(CONTEXTS)


def test_position_counts_the_events_seen():
    assert column("position", store_of([[0] * 12])) == [
        "1",
        "2",
        "3",
        "4",
        *["5–9"] * 5,
        *["10+"] * 2,
    ]


@pytest.mark.parametrize(
    ("length", "group"),
    [(2, "2"), (4, "4"), (5, "5–9"), (9, "5–9"), (10, "10–19"), (19, "10–19"), (20, "20+")],
)
def test_session_length_counts_all_events(length: int, group: str):
    assert column("session_length", store_of([[0] * length])) == [group] * (length - 1)


def test_first_of_type_looks_at_the_whole_session_so_far():
    # Movie, Music, Music, Movie, Book; then a session of its own.
    found = column("first_of_type", store_of([[0, 2, 4, 1, 3], [0, 2]]))

    assert found == ["yes", "no", "no", "yes", "yes"]


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=8), max_size=5))
def test_first_of_type_equals_looking_back_one_by_one(sequences: list[list[int]]):
    types = [VOCABULARY.types[code] for code in VOCABULARY.type_codes]
    expected = [
        "no" if types[item] in {types[seen] for seen in items[:at]} else "yes"
        for items in sequences
        for at, item in enumerate(items)
        if at > 0
    ]

    assert column("first_of_type", store_of(sequences)) == expected


def test_weekday_is_that_of_the_start_in_utc():
    sunday = datetime(2023, 2, 26, 23, 59, 59, tzinfo=UTC)
    monday = datetime(2023, 2, 27, 0, 0, 0, tzinfo=UTC)

    found = column("weekday", store_of([[0, 1], [0, 1]], starts=[sunday, monday]))

    assert found == ["Sunday", "Monday"]


@given(st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1)))
def test_weekday_equals_that_of_the_calendar(start: datetime):
    found = column("weekday", store_of([[0, 1]], starts=[start.replace(tzinfo=UTC)]))

    assert found == [f"{start:%A}"]


def test_a_user_is_known_where_train_has_a_session_of_theirs():
    train = store_of([[0, 1], [1, 2]], users=["ann", None])
    test = store_of([[0, 1], [0, 1, 2], [0, 1]], users=["ann", "bob", None])

    assert column("known_user", test, train) == ["yes", "no", "no", "anonymous"]


def test_deciles_of_a_hundred_different_supports_hold_ten_items_each():
    vocabulary = vocabulary_of(["Movie"] * 100)  # supports 100 to 1
    store = store_of([[0, *range(100)]])

    found = contexts(store, store, vocabulary)["target_popularity"].to_list()

    assert found == [str(10 - item // 10) for item in range(100)]


def test_items_of_equal_support_are_in_one_decile():
    frame = vocabulary_of(["Movie"] * 10).frame
    # Five items with 1 event: the decile bounds up to the middle are all 1.
    vocabulary = type(VOCABULARY)(
        frame.with_columns(support=pl.Series([9, 8, 7, 6, 5, 1, 1, 1, 1, 1], dtype=pl.Int64))
    )

    found = contexts(store_of([[0, *range(10)]]), store_of([]), vocabulary)

    assert set(found["target_popularity"].to_list()[5:]) == {"1"}
    assert found["target_popularity"].to_list()[:5] == ["10", "9", "8", "7", "6"]


def test_no_predictions_give_an_empty_frame_of_the_schema():
    for store in (store_of([]), store_of([[0]])):
        found = contexts(store, store, VOCABULARY)
        assert found.height == 0
        assert found.schema == pl.Schema(CONTEXTS)


def test_contexts_of_other_predictions_are_refused():
    found = contexts(store_of([[0, 1], [2, 3]]), store_of([]), VOCABULARY)
    other = pl.DataFrame({"session": [0, 0], "target_index": [1, 3]}).cast(
        {"target_index": pl.Int32}
    )

    with pytest.raises(EvaluationError, match="not the same ones"):
        check_contexts(found, other)


def test_every_slice_has_its_groups_as_an_enum():
    assert all(CONTEXTS[slice_] == pl.Enum(groups) for slice_, groups in GROUPS.items())
