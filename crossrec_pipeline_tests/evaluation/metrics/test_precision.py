import math

import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import Relevant, precision
from crossrec_pipeline_tests.evaluation.metrics.rankings import cutoffs, rankings, relevant_of


@pytest.mark.parametrize(
    ("ranks", "k", "expected"),
    [
        ([1], 1, 1.0),
        ([10], 10, 0.1),
        ([11], 10, 0.0),
        ([1, 3, 8], 5, 2 / 5),
        ([1, 2, 3], 2, 1.0),
    ],
)
def test_hits_over_k(ranks: list[int], k: int, expected: float):
    assert precision.calc(relevant_of(ranks), k) == expected


def test_mean_over_predictions():
    assert precision.calc(relevant_of([1], [2], [30], [4]), 5) == pytest.approx(3 / 20)


def test_no_predictions_is_not_zero():
    assert math.isnan(precision.calc(relevant_of(), 10))


@given(rankings(), cutoffs)
def test_between_zero_and_the_share_that_can_be_hit(relevant: Relevant, k: int):
    values = precision.per_prediction(relevant, k)

    assert ((values >= 0) & (values <= 1) & (values * k <= relevant.n_relevant + 1e-9)).all()


@given(rankings(max_relevant=1), cutoffs)
def test_with_one_true_next_item_never_above_one_over_k(relevant: Relevant, k: int):
    assert precision.calc(relevant, k) <= 1 / k + 1e-12


def test_a_perfect_next_item_model_has_a_precision_at_ten_of_one_tenth():
    assert precision.calc(relevant_of(*[[1]] * 7), 10) == pytest.approx(0.1)
