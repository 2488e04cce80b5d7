import math

import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import Relevant, recall
from crossrec_pipeline_tests.evaluation.metrics.rankings import (
    N_ITEMS,
    cutoffs,
    rankings,
    relevant_of,
)


@pytest.mark.parametrize(
    ("ranks", "k", "expected"),
    [
        ([20], 20, 1.0),
        ([21], 20, 0.0),
        ([1, 3, 8], 5, 2 / 3),
        ([1, 2, 3], 2, 2 / 3),
        ([6, 6], 5, 0.0),
        ([6, 6], 6, 1.0),
    ],
)
def test_hits_over_relevant(ranks: list[int], k: int, expected: float):
    assert recall.calc(relevant_of(ranks), k) == expected


def test_mean_over_predictions_not_over_items():
    assert recall.calc(relevant_of([1], [2, 30, 40, 50]), 5) == pytest.approx((1 + 1 / 4) / 2)


def test_no_predictions_is_not_zero():
    assert math.isnan(recall.calc(relevant_of(), 10))


@given(rankings(), cutoffs)
def test_never_falls_as_k_grows(relevant: Relevant, k: int):
    smaller, larger = (recall.per_prediction(relevant, cutoff) for cutoff in (k, k + 1))

    assert ((smaller >= 0) & (smaller <= larger) & (larger <= 1)).all()


@given(rankings())
def test_everything_is_found_among_all_items(relevant: Relevant):
    assert recall.calc(relevant, N_ITEMS) == 1.0
