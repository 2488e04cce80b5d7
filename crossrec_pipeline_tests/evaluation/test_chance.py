from itertools import permutations

import numpy as np
import pytest

from crossrec_pipeline.evaluation import chance
from crossrec_pipeline.evaluation.metrics import METRICS, Relevant


def test_every_metric_has_its_expectation():
    assert set(chance.EXPECTED) == set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n_relevant", [1, 2, 3, 6])
@pytest.mark.parametrize("k", [1, 3, 6, 9])
def test_equal_to_the_mean_over_every_order_of_six_items(metric: str, n_relevant: int, k: int):
    orders = np.array(list(permutations(range(1, 7))))[:, :n_relevant]
    relevant = Relevant(orders.ravel(), np.arange(len(orders) + 1) * n_relevant)

    expected = METRICS[metric](relevant, k).mean()

    assert chance.EXPECTED[metric](np.array([n_relevant]), 6, k)[0] == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n_relevant", [1, 4])
def test_within_four_standard_errors_of_random_orders_of_eighty_items(metric: str, n_relevant: int):
    rng = np.random.default_rng(3)
    ranks = rng.permuted(np.tile(np.arange(1, 81), (20_000, 1)), axis=1)[:, :n_relevant]
    drawn = METRICS[metric](Relevant(ranks.ravel(), np.arange(20_001) * n_relevant), 20)

    expected = chance.EXPECTED[metric](np.array([n_relevant]), 80, 20)[0]

    assert abs(drawn.mean() - expected) < 4 * drawn.std() / np.sqrt(len(drawn))


def test_one_relevant_item_by_hand():
    one = np.array([1])

    assert chance.recall(one, 1000, 20)[0] == pytest.approx(0.02)
    assert chance.precision(one, 1000, 10)[0] == pytest.approx(0.001)
    assert chance.mrr(one, 1000, 3)[0] == pytest.approx((1 + 1 / 2 + 1 / 3) / 1000)


def test_each_prediction_has_its_own_number_of_relevant_items():
    together = chance.mrr(np.array([1, 5]), 50, 10)
    apart = [chance.mrr(np.array([n]), 50, 10)[0] for n in (1, 5)]

    np.testing.assert_allclose(together, apart)


@pytest.mark.parametrize("metric", chance.EXPECTED)
def test_no_predictions_give_no_values(metric: str):
    assert chance.EXPECTED[metric](np.array([], dtype=np.int64), 50, 10).shape == (0,)


@pytest.mark.parametrize("metric", chance.EXPECTED)
@pytest.mark.parametrize("n_relevant", [0, 7])
def test_an_impossible_number_of_relevant_items_is_refused(metric: str, n_relevant: int):
    with pytest.raises(ValueError, match="between 1 and 6"):
        chance.EXPECTED[metric](np.array([n_relevant]), 6, 3)
