import math

import numpy as np
import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import Relevant, average_precision, mrr
from crossrec_pipeline_tests.evaluation.metrics.rankings import cutoffs, rankings, relevant_of


@pytest.mark.parametrize(
    ("ranks", "k", "expected"),
    [
        ([1], 20, 1.0),
        ([4], 20, 1 / 4),
        ([21], 20, 0.0),
        ([1, 3], 5, (1 / 1 + 2 / 3) / 2),
        ([3, 2, 1], 5, 1.0),  # the order in which they are given does not matter
        ([8, 1, 3], 5, (1 / 1 + 2 / 3) / 3),
        ([1, 2, 9], 2, (1 / 1 + 2 / 2) / 2),  # no more than K items can be hit
        ([3, 3], 5, (1 / 3 + 2 / 3) / 2),  # tied: one after the other
        ([2, 2], 5, (1 / 2 + 2 / 2) / 2),
    ],
)
def test_precision_at_each_relevant_item(ranks: list[int], k: int, expected: float):
    assert average_precision.calc(relevant_of(ranks), k) == pytest.approx(expected)


def test_mean_over_predictions_not_over_items():
    two = relevant_of([2], [1, 4])

    assert average_precision.calc(two, 20) == pytest.approx((1 / 2 + (1 / 1 + 2 / 4) / 2) / 2)


def test_no_predictions_is_not_zero():
    assert math.isnan(average_precision.calc(relevant_of(), 10))


@given(rankings(), cutoffs)
def test_equal_to_going_down_the_list(relevant: Relevant, k: int):
    found = average_precision.per_prediction(relevant, k)

    for prediction, value in enumerate(found):
        begin, end = relevant.offsets[prediction : prediction + 2]
        ranks = sorted(relevant.ranks[begin:end].tolist())
        total = sum((j + 1) / rank for j, rank in enumerate(ranks) if rank <= k)
        assert value == pytest.approx(total / min(len(ranks), k))
        assert 0 <= value <= 1 + 1e-12


@given(rankings(max_relevant=1), cutoffs)
def test_with_one_true_next_item_it_is_the_reciprocal_rank(relevant: Relevant, k: int):
    np.testing.assert_allclose(
        average_precision.per_prediction(relevant, k), mrr.per_prediction(relevant, k)
    )
