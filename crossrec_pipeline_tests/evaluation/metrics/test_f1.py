import math

import numpy as np
import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import Relevant, f1, precision, recall
from crossrec_pipeline_tests.evaluation.metrics.rankings import cutoffs, rankings, relevant_of


@pytest.mark.parametrize(
    ("ranks", "k", "expected"),
    [
        ([1], 10, 2 / 11),
        ([11], 10, 0.0),
        ([1, 3, 8], 5, 2 * 2 / 8),
        ([1, 2, 3], 3, 1.0),
    ],
)
def test_twice_hits_over_k_and_relevant(ranks: list[int], k: int, expected: float):
    assert f1.calc(relevant_of(ranks), k) == pytest.approx(expected)


def test_mean_of_each_predictions_f1():
    # F1 of the mean precision (.35) and the mean recall (2/3) would be .459.
    assert f1.calc(relevant_of([1, 2, 9], [2, 4]), 5) == pytest.approx((4 / 8 + 4 / 7) / 2)


def test_no_predictions_is_not_zero():
    assert math.isnan(f1.calc(relevant_of(), 10))


@given(rankings(), cutoffs)
def test_harmonic_mean_of_precision_and_recall_where_something_is_hit(relevant: Relevant, k: int):
    p = precision.per_prediction(relevant, k)
    r = recall.per_prediction(relevant, k)
    found = f1.per_prediction(relevant, k)

    hit = p > 0
    np.testing.assert_allclose(found[hit], 2 * p[hit] * r[hit] / (p[hit] + r[hit]))
    assert (found[~hit] == 0).all()
