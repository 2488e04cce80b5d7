from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.exploration import session_charts as charts
from crossrec_pipeline.exploration.aggregates import NoDataError
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.exploration.chart_data import drawn_rows, subtitle


@pytest.fixture
def dataset() -> SessionDataset:
    vocabulary = Vocabulary.from_items(
        pl.DataFrame(
            {
                "item_id": ["Book_a", "Movie_b", "Movie_c"],
                "item_type": ["Book", "Movie", "Movie"],
                "title": ["a", "b", "c"],
                "support": [2, 1, 4],
            }
        )
    )
    return SessionDataset(
        # Book → Movie → Movie | Movie → Book
        SessionStore.from_sequences([[0, 1, 2], [2, 0]]),
        # Movie → Movie
        SessionStore.from_sequences([[1, 2]]),
        SessionStore.from_sequences([]),
        vocabulary,
    )


def test_lengths_are_shares_of_each_part(dataset: SessionDataset):
    chart = charts.session_lengths(dataset)
    counted = {(row["part"], row["length"]): row["share"] for row in drawn_rows(chart)}
    assert counted == {("train", 2): 0.5, ("train", 3): 0.5, ("validation", 2): 1.0}
    assert subtitle(chart) == "Sessions: train 2 (mean 2.5), validation 1 (mean 2.0)."


def test_lengths_nobody_has_are_drawn_as_zero(dataset: SessionDataset):
    gap = replace(dataset, train=SessionStore.from_sequences([[0, 1], [0, 1, 2, 0]]))
    rows = [row for row in drawn_rows(charts.session_lengths(gap)) if row["part"] == "train"]
    assert [(row["length"], row["n"]) for row in rows] == [(2, 1), (3, 0), (4, 1)]


def test_types_are_counted_once_a_session(dataset: SessionDataset):
    chart = charts.types_per_session(dataset)
    counted = [(row["part"], row["types"], row["n"]) for row in drawn_rows(chart)]
    assert counted == [("train", "2", 2), ("validation", "1", 1)]
    assert subtitle(chart).startswith("66.7% of all sessions")


def test_transitions_stay_inside_sessions_and_rows_add_up(dataset: SessionDataset):
    chart = charts.type_transitions(dataset)
    counted = {(row["last"], row["next"]): row for row in drawn_rows(chart)}
    # Not counted: the Movie that ends one session before the Movie that begins the next.
    assert {pair: row["transitions"] for pair, row in counted.items()} == {
        ("Book", "Book"): 0,
        ("Book", "Movie"): 1,
        ("Movie", "Book"): 1,
        ("Movie", "Movie"): 2,
    }
    assert counted["Movie", "Book"]["share"] == pytest.approx(1 / 3)
    assert subtitle(chart).endswith("4 transitions, 50.0% of them within one type.")


def test_a_type_that_nothing_follows_has_no_shares(dataset: SessionDataset):
    movies_only = replace(
        dataset,
        train=SessionStore.from_sequences([[1, 2, 0]]),
        validation=SessionStore.from_sequences([]),
    )
    shares = {
        (row["last"], row["next"]): row["share"]
        for row in drawn_rows(charts.type_transitions(movies_only))
    }
    assert shares == {
        ("Book", "Book"): None,
        ("Book", "Movie"): None,
        ("Movie", "Book"): 0.5,
        ("Movie", "Movie"): 0.5,
    }


def test_events_are_counted_by_type_and_part(dataset: SessionDataset):
    rows = drawn_rows(charts.events_by_type(dataset))
    assert [(row["part"], row["type"], row["n"], row["text"]) for row in rows] == [
        ("train", "Book", 2, "40.0% (2)"),
        ("train", "Movie", 3, "60.0% (3)"),
        ("validation", "Book", 0, "0.0% (0)"),
        ("validation", "Movie", 2, "100.0% (2)"),
    ]


def test_support_is_ranked_within_each_type(dataset: SessionDataset):
    chart = charts.item_support(dataset)
    assert [(row["type"], row["rank"], row["support"]) for row in drawn_rows(chart)] == [
        ("Book", 1, 2),
        ("Movie", 1, 4),
        ("Movie", 2, 1),
    ]
    assert "the most frequent 1% of them have 57.1% of the events" in subtitle(chart)


def test_a_large_vocabulary_is_drawn_by_few_ranks_with_both_ends():
    n = 20_000
    items = pl.DataFrame(
        {
            "item_id": [f"Book_{i}" for i in range(n)],
            "item_type": ["Book"] * n,
            "title": ["b"] * n,
            "support": list(range(1, n + 1)),
        }
    )
    empty = SessionStore.from_sequences([])
    dataset = SessionDataset(empty, empty, empty, Vocabulary.from_items(items))
    rows = drawn_rows(charts.item_support(dataset))
    assert len(rows) <= 150
    assert (rows[0]["rank"], rows[0]["support"]) == (1, n)
    assert (rows[-1]["rank"], rows[-1]["support"]) == (n, 1)


def test_sessions_are_counted_at_the_weekday_and_hour_of_their_start(dataset: SessionDataset):
    # Thursday 1 January 1970, 00:30, and Monday 2 January 2023, 13:59 UTC.
    starts = np.array([30 * 60 * 10**6, 1_672_667_940 * 10**6], dtype=np.int64)
    timed = replace(
        dataset,
        train=replace(dataset.train, start_us=starts, end_us=starts),
        validation=SessionStore.from_sequences([]),
    )
    rows = drawn_rows(charts.sessions_by_weekday_and_hour(timed))
    assert len(rows) == 7 * 24
    assert [(row["weekday"], row["hour"]) for row in rows if row["sessions"]] == [
        ("Mon", 13),
        ("Thu", 0),
    ]


def test_without_sessions_every_chart_says_so():
    empty = SessionStore.from_sequences([])
    schema = {"item_id": [], "item_type": [], "title": [], "support": []}
    nothing = SessionDataset(empty, empty, empty, Vocabulary.from_items(pl.DataFrame(schema)))
    for draw in charts.session_drawings().values():
        with pytest.raises(NoDataError, match="No data"):
            draw(nothing)
