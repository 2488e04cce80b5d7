import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.beyond_accuracy import (
    LIST_CUTOFFS,
    LIST_METRICS,
    evaluate_lists,
    item_genres,
)
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.evaluation.top_lists import TopLists, top_lists
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import ExplicitScores, vocabulary_of

VOCABULARY = vocabulary_of(["Movie"] * 15 + ["Music"] * 15)  # supports 100 - i
GENRES = [["Drama"]] * 15 + [["Jazz"]] * 15
STORE = SessionStore.from_sequences([[0, 1], [1, 16], [2, 29]])
MODEL = ExplicitScores([(session, 1, (-np.arange(30.0)).tolist()) for session in range(3)])
"""Everybody is shown 0, 1, 2, …: item 1 has rank 2, item 16 rank 17, item 29 rank 30."""
LISTS = top_lists(MODEL, STORE, VOCABULARY, 20)
RANKS = rank_predictions(MODEL, STORE, VOCABULARY)
METRICS = evaluate_lists("alike", LISTS, RANKS, VOCABULARY, GENRES)


def value(metric: str, k: int) -> tuple[float | None, int]:
    rows = METRICS.filter(pl.col("metric") == metric, pl.col("k") == k)
    assert rows.height == 1
    return rows["value"][0], rows["n"][0]


def test_columns_are_those_declared_and_every_metric_has_every_cutoff():
    assert METRICS.schema == pl.Schema(LIST_METRICS)
    assert METRICS["model"].unique().to_list() == ["alike"]
    cutoffs = METRICS.group_by("metric").agg(pl.col("k").sort())["k"].to_list()
    assert cutoffs == [sorted(LIST_CUTOFFS)] * 8


@pytest.mark.parametrize(
    ("metric", "k", "expected", "n"),
    [
        ("coverage", 10, 10 / 30, 3),
        ("gini", 20, 1 - 20 / 30, 3),
        ("average_popularity", 10, 100 - 4.5, 3),  # supports 100 to 91
        ("popularity_percentile", 10, (30 - 5) / 30, 3),  # the upper third
        ("genre_diversity", 10, 0.0, 3),  # Drama alone
        ("type_diversity", 10, 0.0, 3),
        ("type_diversity", 20, 15 * 5 / 190, 3),  # fifteen Movies and five Music
        ("genre_diversity", 20, 15 * 5 / 190, 3),
        ("serendipity", 10, 0.0, 1),  # item 1 after item 0
        ("serendipity", 20, 1 / 2, 2),  # and item 16 after item 1
    ],
)
def test_one_list_for_everybody_by_hand(metric: str, k: int, expected: float, n: int):
    found, count = value(metric, k)

    assert found == pytest.approx(expected)
    assert count == n


def test_novelty_is_in_bits_of_train_events():
    shares = np.arange(100, 90, -1) / np.arange(100, 70, -1).sum()

    assert value("novelty", 10)[0] == pytest.approx(-np.log2(shares).mean())


def test_without_predictions_every_value_is_null_not_zero():
    nothing = TopLists(np.zeros(0, np.int64), np.zeros((0, 20), np.int32))

    found = evaluate_lists("none", nothing, RANKS.clear(), VOCABULARY, GENRES)

    assert found.height == METRICS.height
    assert found["value"].null_count() == found.height
    assert found["n"].unique().to_list() == [0]


def test_lists_that_are_too_short_are_refused():
    short = top_lists(MODEL, STORE, VOCABULARY, 10)

    with pytest.raises(EvaluationError, match=r"hold 10 items each.*k=20"):
        evaluate_lists("alike", short, RANKS, VOCABULARY, GENRES)


def test_a_small_vocabulary_needs_no_longer_lists():
    vocabulary = vocabulary_of(["Movie"] * 5)
    store = SessionStore.from_sequences([[0, 1]])
    model = ExplicitScores([(0, 1, [5, 4, 3, 2, 1])])
    lists = top_lists(model, store, vocabulary, 20)
    ranks = rank_predictions(model, store, vocabulary)

    found = evaluate_lists("small", lists, ranks, vocabulary, [["Drama"]] * 5)

    coverage = found.filter(pl.col("metric") == "coverage", pl.col("k") == 20)
    assert coverage["value"].to_list() == [1.0]


def test_genres_come_in_the_order_of_the_vocabulary():
    items = pl.DataFrame(
        {
            "item_id": ["Music_1", "other", "Movie_0"],
            "genres": [["Jazz"], ["War"], ["Drama", "War"]],
        }
    )

    found = item_genres(vocabulary_of(["Movie", "Music"]), items)

    assert found == [["Drama", "War"], ["Jazz"]]


def test_an_item_that_is_not_in_the_catalogue_is_named():
    items = pl.DataFrame({"item_id": ["Movie_0"], "genres": [["Drama"]]})

    with pytest.raises(EvaluationError, match=r"1 of 2 items .* 'Music_1'"):
        item_genres(vocabulary_of(["Movie", "Music"]), items)
