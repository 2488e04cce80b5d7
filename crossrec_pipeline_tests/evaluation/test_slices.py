import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.ranking import RANKS
from crossrec_pipeline.evaluation.slices import (
    CURVE_CUTOFFS,
    SLICED_METRICS,
    evaluate,
    evaluate_chance,
    model_order,
    recall_interval,
)
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of

TYPES = ["Book", "Movie", "Music"]


def ranks_of(*rows: tuple[int, int, str, str, int, int, list[int]]) -> pl.DataFrame:
    """Session, position, source, target, rank, rank within type, ranks of the rest."""
    names = ("session", "position", "source_type", "target_type", "rank", "rank_within_type")
    frame = pl.DataFrame(rows, schema=[*names, "rest_ranks"], orient="row")
    return frame.with_columns(target_index=0, target_support=9).select(
        pl.col(name).cast(dtype) for name, dtype in RANKS.items()
    )


RANKS_FRAME = ranks_of(
    (0, 1, "Movie", "Movie", 1, 1, [1, 4]),
    (0, 2, "Movie", "Music", 4, 2, [4]),
    (1, 1, "Music", "Movie", 30, 18, [30]),
    (2, 1, "Movie", "Movie", 10, 5, [10]),
)


def value(frame: pl.DataFrame, slice_: str, metric: str, k: int, **where: str) -> float | None:
    where = {"relevance": "next"} | where
    rows = frame.filter(
        (pl.col("slice") == slice_) & (pl.col("metric") == metric) & (pl.col("k") == k),
        *(pl.col(name) == wanted for name, wanted in where.items()),
    )
    assert rows.height == 1
    return rows["value"][0]


METRICS = evaluate("some", RANKS_FRAME, TYPES)


def test_columns_are_those_declared():
    assert METRICS.schema == pl.Schema(SLICED_METRICS)
    assert METRICS["model"].unique().to_list() == ["some"]


def test_overall_by_hand():
    assert value(METRICS, "overall", "recall", 5) == 2 / 4
    assert value(METRICS, "overall", "recall", 20) == 3 / 4
    assert value(METRICS, "overall", "mrr", 20) == pytest.approx((1 + 1 / 4 + 1 / 10) / 4)
    assert value(METRICS, "overall", "precision", 10) == pytest.approx(3 / 4 / 10)


def test_rest_of_session_by_hand():
    recall = value(METRICS, "overall", "recall", 5, relevance="rest")
    f1 = value(METRICS, "overall", "f1", 5, relevance="rest")

    assert recall == pytest.approx((2 / 2 + 1 / 1) / 4)
    assert f1 == pytest.approx((2 * 2 / 7 + 2 / 6) / 4)


def test_by_target_type_by_hand():
    assert value(METRICS, "target_type", "recall", 5, target_type="Movie") == 1 / 3
    assert value(METRICS, "target_type", "recall", 5, target_type="Music") == 1.0


def test_within_type_by_hand():
    assert value(METRICS, "overall", "recall_within_type", 5) == 3 / 4
    found = value(METRICS, "target_type", "recall_within_type", 20, target_type="Movie")
    assert found == 1.0


def test_transitions_by_hand():
    pairs = METRICS.filter(
        pl.col("slice") == "transition",
        pl.col("relevance") == "next",
        pl.col("metric") == "recall",
        pl.col("k") == 10,
    )
    found = {(row["source_type"], row["target_type"]): row for row in pairs.to_dicts()}

    assert len(found) == 9
    assert (found["Movie", "Movie"]["value"], found["Movie", "Movie"]["n"]) == (1.0, 2)
    assert (found["Movie", "Music"]["value"], found["Movie", "Music"]["n"]) == (1.0, 1)
    assert (found["Music", "Movie"]["value"], found["Music", "Movie"]["n"]) == (0.0, 1)


def test_a_slice_without_predictions_is_null_not_zero():
    books = METRICS.filter(pl.col("target_type") == "Book")

    assert books.height > 0
    assert books["value"].null_count() == books.height
    assert books["n"].unique().to_list() == [0]


def test_macro_average_is_over_the_types_that_occur():
    assert value(METRICS, "macro", "recall", 5) == pytest.approx((1 / 3 + 1) / 2)


def test_the_curve_has_further_cutoffs():
    curve = METRICS.filter(
        pl.col("slice") == "overall", pl.col("relevance") == "next", pl.col("metric") == "recall"
    )

    assert curve["k"].to_list() == list(CURVE_CUTOFFS)
    assert curve["value"].is_sorted()


def test_no_predictions_at_all_give_nulls():
    nothing = evaluate("some", RANKS_FRAME.clear(), TYPES)

    assert nothing.height == METRICS.height
    assert nothing["value"].null_count() == nothing.height


def test_a_type_nobody_named_is_refused():
    with pytest.raises(EvaluationError, match=r"Column target_type .* holds 'Music'"):
        evaluate("some", RANKS_FRAME, ["Book", "Movie"])


def test_only_the_headline_has_an_interval():
    bounded = METRICS.filter(pl.col("low").is_not_null())

    assert bounded.select("slice", "relevance", "metric", "k").rows() == [
        ("overall", "next", "recall", 20)
    ]
    low, middle, high = bounded.select("low", "value", "high").row(0)
    assert low <= middle <= high


def test_chance_is_exact_in_every_slice():
    vocabulary = vocabulary_of(["Movie"] * 30 + ["Music"] * 50 + ["Book"] * 20)
    ranks = RANKS_FRAME.with_columns(target_index=pl.Series([0, 40, 1, 2], dtype=pl.Int32))

    found = evaluate_chance(ranks, vocabulary)

    assert found["model"].unique().to_list() == ["chance"]
    assert value(found, "overall", "recall", 20) == pytest.approx(0.2)
    assert value(found, "transition", "recall", 20, source_type="Music", target_type="Movie") == (
        pytest.approx(0.2)
    )
    within = value(found, "overall", "recall_within_type", 20)
    assert within == pytest.approx((3 * 20 / 30 + 20 / 50) / 4)
    # One prediction has two relevant items, three have one.
    precision = value(found, "overall", "precision", 10, relevance="rest")
    assert precision == pytest.approx((2 + 1 + 1 + 1) / 4 / 100)
    assert found.drop("model", "value").equals(
        METRICS.drop("model", "value").with_columns(
            pl.lit(None, pl.Float64).alias(name) for name in ("standard_error", "low", "high")
        )
    )


def test_models_are_listed_from_chance_to_the_oracle():
    names = ["oracle", "gru4rec", "markov", "chance", "popularity", "gru4rec"]

    assert model_order(names) == ["chance", "popularity", "markov", "gru4rec", "oracle"]


def test_models_the_registry_does_not_know_keep_their_order_before_the_oracle():
    names = ["oracle", "zebra", "gru4rec", "ant", "zebra"]

    assert model_order(names) == ["gru4rec", "zebra", "ant", "oracle"]


def _independent_ranks(n_sessions: int, repeats: int = 1) -> pl.DataFrame:
    rank = np.random.default_rng(0).choice([1, 100], n_sessions, p=[0.3, 0.7])
    return ranks_of(
        *(
            (session, position + 1, "Movie", "Movie", int(rank[session]), 1, [1])
            for session in range(n_sessions)
            for position in range(repeats)
        )
    )


def test_the_bootstrap_error_of_independent_predictions_is_the_binomial_one():
    interval = recall_interval(_independent_ranks(900), 20, n_resamples=2000, seed=1)

    share = interval.value
    binomial = np.sqrt(share * (1 - share) / 900)
    assert interval.standard_error == pytest.approx(binomial, rel=0.08)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * binomial, rel=0.1)


def test_repeating_predictions_inside_a_session_does_not_narrow_the_interval():
    once = recall_interval(_independent_ranks(200), 20, seed=1)
    four_times = recall_interval(_independent_ranks(200, repeats=4), 20, seed=1)

    assert four_times.low == pytest.approx(once.low)
    assert four_times.high == pytest.approx(once.high)


def test_a_resample_weighs_sessions_by_their_predictions():
    long_misses = [(s, p, "Movie", "Movie", 100, 1, [1]) for s in range(50) for p in range(1, 10)]
    short_hits = [(s, 1, "Movie", "Movie", 1, 1, [1]) for s in range(50, 100)]

    interval = recall_interval(ranks_of(*long_misses, *short_hits), 20)

    assert interval.value == pytest.approx(0.1)
    assert interval.low < 0.1 < interval.high < 0.2


def test_equal_seeds_give_equal_intervals():
    ranks = _independent_ranks(100)

    assert recall_interval(ranks, 20, seed=5) == recall_interval(ranks, 20, seed=5)
    assert recall_interval(ranks, 20, seed=5) != recall_interval(ranks, 20, seed=6)


def test_nothing_to_bootstrap_is_an_error():
    with pytest.raises(EvaluationError, match="no predictions"):
        recall_interval(RANKS_FRAME.clear(), 20)
