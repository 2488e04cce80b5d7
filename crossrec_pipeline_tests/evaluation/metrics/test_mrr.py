import math

import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import Relevant, mrr, recall
from crossrec_pipeline_tests.evaluation.metrics.rankings import cutoffs, rankings, relevant_of


@pytest.mark.parametrize(
    ("ranks", "k", "expected"),
    [
        ([1], 20, 1.0),
        ([4], 20, 0.25),
        ([20], 20, 0.05),
        ([21], 20, 0.0),
        ([9, 2, 5], 20, 0.5),
    ],
)
def test_reciprocal_of_the_first_relevant_rank(ranks: list[int], k: int, expected: float):
    assert mrr.calc(relevant_of(ranks), k) == expected


def test_mean_over_predictions():
    assert mrr.calc(relevant_of([1], [2], [30], [4]), 20) == pytest.approx(1.75 / 4)


def test_no_predictions_is_not_zero():
    assert math.isnan(mrr.calc(relevant_of(), 10))


@given(rankings(), cutoffs)
def test_never_falls_as_k_grows(relevant: Relevant, k: int):
    smaller, larger = (mrr.per_prediction(relevant, cutoff) for cutoff in (k, k + 1))

    assert ((smaller >= 0) & (smaller <= larger) & (larger <= 1)).all()


@given(rankings(max_relevant=1), cutoffs)
def test_with_one_true_next_item_never_above_recall(relevant: Relevant, k: int):
    assert (mrr.per_prediction(relevant, k) <= recall.per_prediction(relevant, k)).all()
