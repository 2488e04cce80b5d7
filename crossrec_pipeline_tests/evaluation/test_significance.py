from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.holm import holm
from crossrec_pipeline.evaluation.measures import HEADLINE
from crossrec_pipeline.evaluation.significance import (
    COMPARISONS,
    bootstrap_p_value,
    compare_all,
    compare_with,
    resamples_for,
    wilcoxon_p_value,
)
from crossrec_pipeline.evaluation.slices import evaluate
from crossrec_pipeline_tests.evaluation.rank_frames import ranks_of

TYPES = ["Book", "Movie", "Music"]
N_SESSIONS = 150


def model(seed: int, hit_share: float) -> pl.DataFrame:
    """Two predictions a session, a Movie and a Music; the others' ranks are no hits."""
    rng = np.random.default_rng(seed)
    rank = np.where(rng.random(2 * N_SESSIONS) < hit_share, rng.integers(1, 21), 100)
    return ranks_of(
        *(
            (at // 2, at % 2 + 1, "Movie", ("Movie", "Music")[at % 2], int(rank[at]), 1, [1])
            for at in range(2 * N_SESSIONS)
        )
    )


RANKS = {"weak": model(1, 0.3), "strong": model(2, 0.6), "also weak": model(3, 0.32)}
FOUND = compare_all(RANKS, TYPES)


def recall(frame: pl.DataFrame, model: str, other: str, **where: str) -> dict:
    wanted = {"slice": "overall", "metric": "recall", "model": model, "other": other} | where
    rows = frame.filter(pl.col(name) == wish for name, wish in wanted.items())
    assert rows.height == 1
    return rows.row(0, named=True)


def test_every_pair_has_every_measure_and_slice_once():
    assert FOUND.schema == pl.Schema(COMPARISONS)
    pairs = [("weak", "strong"), ("weak", "also weak"), ("strong", "also weak")]
    assert set(FOUND.select("model", "other").rows()) == set(pairs)
    assert FOUND.height == len(pairs) * len(HEADLINE) * (1 + len(TYPES))


def test_differences_are_those_of_the_reported_means():
    row = recall(FOUND, "weak", "strong", slice="target_type", target_type="Music")

    hits = {
        name: (frame["rank"].to_numpy() <= 20)[1::2].mean()
        for name, frame in RANKS.items()  # every second prediction is a Music
    }
    assert row["difference"] == pytest.approx(hits["weak"] - hits["strong"])


def test_the_paired_error_is_that_of_the_differences_by_session():
    row = recall(FOUND, "weak", "strong")

    hits = [RANKS[name]["rank"].to_numpy() <= 20 for name in ("weak", "strong")]
    by_session = (hits[0].astype(float) - hits[1]).reshape(-1, 2).mean(axis=1)
    assert row["standard_error"] == pytest.approx(by_session.std() / np.sqrt(N_SESSIONS), rel=0.03)
    assert row["low"] < row["difference"] < row["high"]


def test_a_model_that_hits_twice_as_often_is_significantly_better():
    row = recall(FOUND, "weak", "strong")

    assert row["high"] < 0
    assert row["p_bootstrap"] == pytest.approx(2 / 10_001)  # no resample has the other sign
    assert row["p_holm"] == pytest.approx(3 * 2 / 10_001)
    assert row["p_wilcoxon"] < 0.001
    assert row["significant"] is True


def test_models_of_one_quality_are_not_told_apart():
    row = recall(FOUND, "weak", "also weak")

    assert row["low"] < 0 < row["high"]
    assert row["significant"] is False


def test_a_model_compared_with_itself_differs_by_nothing():
    found = compare_all({"one": RANKS["weak"], "same": RANKS["weak"]}, ["Movie", "Music"])

    zeros = found.select("difference", "standard_error", "low", "high")
    assert set(zeros.rows()) == {(0.0, 0.0, 0.0, 0.0)}
    assert set(found.select("p_bootstrap", "p_wilcoxon", "p_holm", "significant").rows()) == {
        (1.0, 1.0, 1.0, False)
    }


def test_the_reference_is_the_other_of_every_row():
    found = compare_with("strong", RANKS, TYPES)

    assert set(found.select("model", "other").rows()) == {
        ("weak", "strong"),
        ("also weak", "strong"),
    }
    row, of_all = recall(found, "weak", "strong"), recall(FOUND, "weak", "strong")
    # The same draws; the family has two pairs, not three.
    assert {**row, "p_holm": None} == {**of_all, "p_holm": None}
    assert row["p_holm"] == pytest.approx(2 * 2 / 10_001)


def test_turning_a_pair_round_turns_its_signs():
    turned = compare_all(dict(reversed(list(RANKS.items()))), TYPES)

    row, other = recall(FOUND, "weak", "strong"), recall(turned, "strong", "weak")
    for name in ("difference", "low", "high"):
        mirror = {"low": "high", "high": "low"}.get(name, name)
        assert other[name] == pytest.approx(-row[mirror])
    assert other["p_bootstrap"] == row["p_bootstrap"]
    assert other["p_wilcoxon"] == pytest.approx(row["p_wilcoxon"])


def test_each_measure_and_slice_is_a_family_of_its_own():
    for _, family in FOUND.drop_nulls("p_bootstrap").group_by("metric", "slice", "target_type"):
        assert family.height == 3
        np.testing.assert_allclose(family["p_holm"], holm(family["p_bootstrap"].to_numpy()))


def test_the_variance_of_a_difference_of_independent_models_is_the_sum_of_both():
    single = {name: evaluate(name, frame, TYPES) for name, frame in RANKS.items()}
    paired = compare_all(RANKS, TYPES, n_resamples=1000)

    errors = [
        frame.filter(
            pl.col("slice") == "overall",
            pl.col("relevance") == "next",
            pl.col("metric") == "recall",
            pl.col("k") == 20,
        )["standard_error"][0]
        for name, frame in single.items()
        if name != "also weak"
    ]
    assert recall(paired, "weak", "strong")["standard_error"] == pytest.approx(
        np.hypot(*errors), rel=0.1
    )


def test_a_type_without_predictions_is_null():
    books = FOUND.filter(pl.col("target_type") == "Book")

    figures = books.select("difference", "low", "p_bootstrap", "p_wilcoxon", "significant")
    assert set(figures.rows()) == {(None,) * 5}


def test_one_session_has_a_difference_and_no_error():
    one = {name: frame.head(2) for name, frame in RANKS.items()}

    row = recall(compare_all(one, TYPES), "weak", "strong")

    assert row["difference"] is not None
    assert [row[name] for name in ("standard_error", "low", "p_holm", "significant")] == [None] * 4


def test_one_model_has_nothing_to_be_compared_with():
    assert compare_all({"weak": RANKS["weak"]}, TYPES).height == 0
    assert compare_with("weak", {"weak": RANKS["weak"]}, TYPES).height == 0


@pytest.mark.parametrize("column", ["session", "position", "target_index"])
def test_models_ranked_on_other_predictions_are_refused(column: str):
    other = RANKS["weak"].with_columns(pl.col(column) + 1)

    with pytest.raises(EvaluationError, match=r"other was ranked on 300 .* same sessions"):
        compare_all({"weak": RANKS["weak"], "other": other}, TYPES)


def test_models_ranked_on_fewer_predictions_are_refused():
    with pytest.raises(
        EvaluationError, match="fewer was ranked on 299 predictions and weak on 300"
    ):
        compare_all({"weak": RANKS["weak"], "fewer": RANKS["weak"].head(299)}, TYPES)


def test_a_reference_nobody_ranked_is_refused():
    with pytest.raises(EvaluationError, match=r"no ranks of 'oracle'.*weak, strong"):
        compare_with("oracle", RANKS, TYPES)


def test_too_few_resamples_for_so_many_pairs_are_refused():
    # Three pairs: 3 * 2 / (120 + 1) is below 0.05, 3 * 2 / (119 + 1) is not.
    with pytest.raises(EvaluationError, match=r"119 resamples.*at least 120"):
        compare_all(RANKS, TYPES, n_resamples=119)
    assert recall(compare_all(RANKS, TYPES, n_resamples=120), "weak", "strong")["significant"]


@pytest.mark.parametrize(
    ("resampled", "expected"),
    [
        ([1.0] * 99, 2 * (1 + 0) / 100),
        ([-1.0] * 99, 2 * (1 + 0) / 100),
        ([1.0] * 96 + [0.0, -1.0, -2.0], 2 * (1 + 3) / 100),
        ([0.0] * 99, 1.0),
        ([1.0] * 50 + [-1.0] * 49, 1.0),  # 2 * 50 / 100
        ([1.0] * 99 + [np.nan] * 5, 2 * (1 + 0) / 100),
        ([1e-17] * 99, 1.0),  # rounding, not a difference
    ],
)
def test_bootstrap_p_value_by_hand(resampled: list[float], expected: float):
    assert bootstrap_p_value(np.array(resampled)) == pytest.approx(expected)


@given(st.lists(st.integers(-8, 8).map(lambda eighths: eighths / 8), max_size=90))
def test_wilcoxon_of_ties_is_that_of_scipy_without_the_zeros(drawn: list[float]):
    differences = [1 / 8, 1 / 8, *drawn]

    found = wilcoxon_p_value(np.array(differences))

    expected: Any = wilcoxon(differences, method="asymptotic")
    assert found == pytest.approx(expected.pvalue)
    assert found == pytest.approx(wilcoxon_p_value(-np.array(differences)))


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], 2 / 32),  # two of 2 ** 5 signs are as extreme
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.0], 2 / 32),  # a session without a difference is left out
        ([-0.1, 0.2, 0.3, 0.4, 0.5], 4 / 32),  # ranks of a sign add up to 0 or 1, on either side
        ([0.0, 0.0], 1.0),
        ([], 1.0),
        ([1e-17, -1e-17, 1e-17], 1.0),  # rounding, not a difference
    ],
)
def test_wilcoxon_by_hand(differences: list[float], expected: float):
    assert wilcoxon_p_value(np.array(differences)) == pytest.approx(expected)


def test_equal_models_are_found_different_in_one_of_twenty_trials():
    rng = np.random.default_rng(4)
    found = 0
    for trial in range(300):
        # Both models hit with one chance, which differs between sessions.
        chance = rng.random((40, 1))
        ranks = [np.where(rng.random((40, 2)) < chance, 1, 100).ravel() for _ in range(2)]
        frames = {
            str(name): ranks_of(
                *(
                    (at // 2, at % 2 + 1, "Movie", "Movie", int(r), 1, [1])
                    for at, r in enumerate(one)
                )
            )
            for name, one in enumerate(ranks)
        }
        row = recall(compare_all(frames, ["Movie"], n_resamples=200, seed=trial), "0", "1")
        found += row["p_bootstrap"] < 0.05

    # Four standard errors of 300 trials at 0.05 are 0.05.
    assert found / 300 == pytest.approx(0.05, abs=0.05)


@pytest.mark.parametrize(("n_models", "n_resamples"), [(1, 10_000), (16, 10_000), (25, 12_000)])
def test_many_models_take_more_resamples(n_models: int, n_resamples: int):
    # 25 models are 300 pairs, of which each needs 2 / 0.05 = 40.
    assert resamples_for(n_models) == n_resamples
