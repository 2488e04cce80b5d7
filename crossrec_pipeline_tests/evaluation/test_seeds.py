import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.measures import HEADLINE
from crossrec_pipeline.evaluation.seeds import SEED_SPREAD, seed_spread
from crossrec_pipeline.evaluation.slices import evaluate
from crossrec_pipeline_tests.evaluation.rank_frames import ranks_of

TYPES = ["Book", "Movie", "Music"]


def trained(*ranks: int) -> pl.DataFrame:
    """Two predictions a session: a Movie, then a Music."""
    return ranks_of(
        *(
            (at // 2, at % 2 + 1, "Movie", ("Movie", "Music")[at % 2], rank, 1, [rank])
            for at, rank in enumerate(ranks)
        )
    )


RANKS = {7: trained(1, 100, 4, 100), 8: trained(1, 2, 1, 100)}
FOUND = seed_spread(RANKS, TYPES)


def row(frame: pl.DataFrame, metric: str, target_type: str | None = None) -> dict:
    rows = frame.filter(
        pl.col("metric") == metric, pl.col("target_type").eq_missing(pl.lit(target_type))
    )
    assert rows.height == 1
    return rows.row(0, named=True)


def test_mean_and_deviation_over_seeds_by_hand():
    # MRR of the seeds: (1 + 0 + 1/4 + 0) / 4 and (1 + 1/2 + 1 + 0) / 4.
    found = row(FOUND, "mrr")

    assert FOUND.schema == pl.Schema(SEED_SPREAD)
    assert found["mean"] == pytest.approx((0.3125 + 0.625) / 2)
    assert found["standard_deviation"] == pytest.approx((0.625 - 0.3125) / np.sqrt(2))
    assert found["n_seeds"] == 2


def test_types_by_hand():
    # Recall of Music: 0 of 2 and 1 of 2.
    found = row(FOUND, "recall", "Music")

    assert found["mean"] == pytest.approx(0.25)
    assert found["standard_deviation"] == pytest.approx(0.5 / np.sqrt(2))


def test_every_measure_has_overall_and_every_type():
    assert FOUND.height == len(HEADLINE) * (1 + len(TYPES))


def test_one_seed_has_the_interval_of_its_model_and_no_deviation():
    rng = np.random.default_rng(0)
    ranks = trained(*rng.integers(1, 40, 60).tolist())

    found = row(seed_spread({7: ranks}, TYPES), "recall")

    alone = evaluate("some", ranks, TYPES).filter(
        pl.col("slice") == "overall",
        pl.col("relevance") == "next",
        pl.col("metric") == "recall",
        pl.col("k") == 20,
    )
    assert found["standard_deviation"] is None
    expected = alone.select("value", "standard_error", "low", "high").row(0)
    assert [found[name] for name in ("mean", "standard_error", "low", "high")] == pytest.approx(
        list(expected)
    )


def test_equal_seeds_do_not_vary_but_their_sessions_do():
    found = row(seed_spread({1: RANKS[7], 2: RANKS[7]}, TYPES), "mrr")

    assert found["standard_deviation"] == 0.0
    assert found["standard_error"] > 0
    assert found["low"] < found["mean"] < found["high"]


def test_a_type_without_predictions_is_null():
    found = row(FOUND, "recall", "Book")

    figures = ("mean", "standard_deviation", "standard_error", "low", "high")
    assert [found[name] for name in figures] == [None] * 5


def test_seeds_ranked_on_other_predictions_are_refused():
    with pytest.raises(EvaluationError, match="seed 8 was ranked on 2"):
        seed_spread({7: RANKS[7], 8: RANKS[8].head(2)}, TYPES)


def test_no_seeds_are_refused():
    with pytest.raises(EvaluationError, match="no ranks to average"):
        seed_spread({}, TYPES)
