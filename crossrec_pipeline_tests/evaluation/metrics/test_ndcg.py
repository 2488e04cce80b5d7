import math

import numpy as np
import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import Relevant, mrr, ndcg
from crossrec_pipeline_tests.evaluation.metrics.rankings import cutoffs, rankings, relevant_of

IDEAL_2 = 1 + 1 / math.log2(3)
IDEAL_3 = IDEAL_2 + 1 / 2


@pytest.mark.parametrize(
    ("ranks", "k", "expected"),
    [
        ([1], 20, 1.0),
        ([3], 20, 0.5),
        ([7], 20, 1 / 3),
        ([21], 20, 0.0),
        ([1, 3], 5, 1.5 / IDEAL_2),
        ([3, 2, 1], 5, 1.0),
        ([1, 3, 8], 5, 1.5 / IDEAL_3),
        ([1, 2, 9], 2, 1.0),  # the ideal has no more than K places
        ([3, 3], 5, 1.0 / IDEAL_2),  # tied at the worse place
    ],
)
def test_dcg_over_the_ideal(ranks: list[int], k: int, expected: float):
    assert ndcg.calc(relevant_of(ranks), k) == pytest.approx(expected, abs=1e-12)


def test_mean_over_predictions():
    assert ndcg.calc(relevant_of([1], [3], [30]), 20) == pytest.approx(0.5)


def test_no_predictions_is_not_zero():
    assert math.isnan(ndcg.calc(relevant_of(), 10))


@given(rankings(), cutoffs)
def test_one_if_and_only_if_relevant_items_fill_the_first_ranks(relevant: Relevant, k: int):
    values = ndcg.per_prediction(relevant, k)

    assert ((values >= 0) & (values <= 1)).all()
    for prediction, value in enumerate(values):
        ranks = relevant.ranks[relevant.offsets[prediction] : relevant.offsets[prediction + 1]]
        n_ideal = min(len(ranks), k)
        ideal = sorted(ranks)[:n_ideal] == list(range(1, n_ideal + 1))
        assert (abs(value - 1) < 1e-12) == ideal


@given(rankings(max_relevant=1), cutoffs)
def test_with_one_true_next_item_it_grows_with_k_and_is_at_least_mrr(relevant: Relevant, k: int):
    smaller, larger = (ndcg.per_prediction(relevant, cutoff) for cutoff in (k, k + 1))

    assert (smaller <= larger).all()
    assert (smaller >= mrr.per_prediction(relevant, k)).all()


def test_the_ideal_is_cut_at_k():
    np.testing.assert_allclose(ndcg.ideal_dcg(np.array([1, 2, 3, 9]), 2), [1, *[IDEAL_2] * 3])
