import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.contexts import GROUPS, contexts
from crossrec_pipeline.evaluation.measures import BOUNDED, CURVE_CUTOFFS, HEADLINE
from crossrec_pipeline.evaluation.slices import (
    SLICED_METRICS,
    evaluate,
    evaluate_chance,
    evaluate_chance_contexts,
    evaluate_contexts,
    model_order,
)
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of
from crossrec_pipeline_tests.evaluation.rank_frames import ranks_of

TYPES = ["Book", "Movie", "Music"]


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


def test_every_slice_of_the_bounded_measures_has_an_interval_where_it_has_two_sessions():
    bounded = METRICS.filter(pl.col("low").is_not_null())

    assert set(bounded.select("relevance", "metric", "k").rows()) == {
        ("next", *measure) for measure in BOUNDED
    }
    # Sessions 0, 1 and 2 hold Movies; one session each holds Music and the two changes of type.
    assert set(bounded.select("slice", "source_type", "target_type").rows()) == {
        ("overall", None, None),
        ("target_type", None, "Movie"),
        ("transition", "Movie", "Movie"),
        ("macro", None, None),
    }
    assert bounded.filter(pl.col("low") > pl.col("value")).is_empty()
    assert bounded.filter(pl.col("high") < pl.col("value")).is_empty()


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


def _recall_at_20(ranks: pl.DataFrame, **options: int) -> dict[str, float]:
    return (
        evaluate("some", ranks, ["Movie"], **options)
        .filter(
            pl.col("slice") == "overall",
            pl.col("relevance") == "next",
            pl.col("metric") == "recall",
            pl.col("k") == 20,
        )
        .row(0, named=True)
    )


def test_the_bootstrap_error_of_independent_predictions_is_the_binomial_one():
    found = _recall_at_20(_independent_ranks(900), n_resamples=2000, seed=1)

    share = found["value"]
    binomial = np.sqrt(share * (1 - share) / 900)
    assert found["standard_error"] == pytest.approx(binomial, rel=0.08)
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * binomial, rel=0.1)


def test_repeating_predictions_inside_a_session_does_not_narrow_the_interval():
    once = _recall_at_20(_independent_ranks(200), seed=1)
    four_times = _recall_at_20(_independent_ranks(200, repeats=4), seed=1)

    assert four_times["low"] == pytest.approx(once["low"])
    assert four_times["high"] == pytest.approx(once["high"])


def test_a_resample_weighs_sessions_by_their_predictions():
    long_misses = [(s, p, "Movie", "Movie", 100, 1, [1]) for s in range(50) for p in range(1, 10)]
    short_hits = [(s, 1, "Movie", "Movie", 1, 1, [1]) for s in range(50, 100)]

    found = _recall_at_20(ranks_of(*long_misses, *short_hits))

    assert found["value"] == pytest.approx(0.1)
    assert found["low"] < 0.1 < found["high"] < 0.2


def test_equal_seeds_give_equal_intervals():
    ranks = _independent_ranks(100)

    assert _recall_at_20(ranks, seed=5) == _recall_at_20(ranks, seed=5)
    assert _recall_at_20(ranks, seed=5) != _recall_at_20(ranks, seed=6)


STORE = SessionStore.from_sequences([[0, 1], [40, 2, 1]])
VOCABULARY = vocabulary_of(["Movie"] * 30 + ["Music"] * 20)
CONTEXT_RANKS = ranks_of(
    (0, 1, "Movie", "Movie", 4, 4, [4]),
    (1, 1, "Music", "Movie", 30, 20, [30, 2]),
    (1, 2, "Movie", "Movie", 2, 1, [2]),
).with_columns(target_index=pl.Series([1, 2, 1], dtype=pl.Int32))
CONTEXT_FRAME = contexts(STORE, STORE, VOCABULARY)
BY_CONTEXT = evaluate_contexts("some", CONTEXT_RANKS, CONTEXT_FRAME)


def test_every_group_of_every_context_has_the_headline_measures():
    assert BY_CONTEXT.schema == pl.Schema(SLICED_METRICS)
    assert set(BY_CONTEXT.select("slice", "group", "metric", "k").rows()) == {
        (slice_, group, *measure)
        for slice_, groups in GROUPS.items()
        for group in groups
        for measure in HEADLINE
    }
    assert BY_CONTEXT["source_type"].null_count() == BY_CONTEXT.height


@pytest.mark.parametrize(
    ("slice_", "group", "expected", "n"),
    [
        ("position", "1", (1 / 4 + 0) / 2, 2),
        ("position", "2", 1 / 2, 1),
        ("session_length", "3", (0 + 1 / 2) / 2, 2),
        ("first_of_type", "yes", 0.0, 1),  # the Movie after the Music
        ("first_of_type", "no", (1 / 4 + 1 / 2) / 2, 2),
        ("known_user", "anonymous", (1 / 4 + 0 + 1 / 2) / 3, 3),
        ("position", "10+", None, 0),
    ],
)
def test_contexts_by_hand(slice_: str, group: str, expected: float | None, n: int):
    rows = BY_CONTEXT.filter(
        pl.col("slice") == slice_, pl.col("group") == group, pl.col("metric") == "mrr"
    )

    assert rows["value"].to_list() == [pytest.approx(expected)]
    assert rows["n"].to_list() == [n]


def test_a_context_of_two_sessions_has_an_interval_and_of_one_has_none():
    rows = BY_CONTEXT.filter(pl.col("slice") == "position", pl.col("metric") == "mrr")

    assert dict(rows.select("group", pl.col("low").is_not_null()).head(2).iter_rows()) == {
        "1": True,
        "2": False,
    }


def test_chance_by_context_is_exact():
    found = evaluate_chance_contexts(CONTEXT_RANKS, CONTEXT_FRAME, VOCABULARY)

    recall = found.filter(pl.col("metric") == "recall", pl.col("n") > 0)
    assert recall["value"].to_list() == pytest.approx([20 / 50] * recall.height)
    names = ["slice", "group", "relevance", "metric", "k", "n"]
    assert found.select(names).sort(names).equals(BY_CONTEXT.select(names).sort(names))


def test_without_predictions_every_context_is_null():
    nothing = evaluate_contexts("some", CONTEXT_RANKS.clear(), CONTEXT_FRAME.clear())

    assert nothing.height == BY_CONTEXT.height
    assert nothing["value"].null_count() == nothing.height


def test_contexts_of_other_sessions_are_refused():
    other = contexts(SessionStore.from_sequences([[0, 1], [40, 1, 2]]), STORE, VOCABULARY)

    with pytest.raises(EvaluationError, match="contexts are of 3 predictions, the ranks of 3"):
        evaluate_contexts("some", CONTEXT_RANKS, other)
