import math

import numpy as np
import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import popularity_percentile
from crossrec_pipeline_tests.evaluation.metrics.lists import NO_LISTS, lists, supports

SUPPORT = np.array([10, 4, 4, 1])


def test_items_of_equal_support_count_half():
    # Fewer events have 3, 1, 1 and 0 items; as many, the item itself included, 1, 2, 2 and 1.
    expected = [(3 + 1 / 2) / 4, (1 + 2 / 2) / 4, (1 + 2 / 2) / 4, (0 + 1 / 2) / 4]

    assert popularity_percentile.percentiles(SUPPORT).tolist() == expected


def test_mean_over_items_and_predictions():
    items = np.array([[0, 1], [3, 2]])

    expected = (0.875 + 0.5 + 0.125 + 0.5) / 4
    assert popularity_percentile.calc(items, SUPPORT) == pytest.approx(expected)


def test_no_lists_is_not_zero():
    assert math.isnan(popularity_percentile.calc(NO_LISTS, SUPPORT))


@given(supports)
def test_all_items_together_have_one_half(support: np.ndarray):
    assert popularity_percentile.percentiles(support).mean() == pytest.approx(0.5)


@given(lists(), supports)
def test_equal_to_counting_one_by_one(items: np.ndarray, support: np.ndarray):
    def percentile(item: int) -> float:
        fewer = sum(other < support[item] for other in support)
        as_many = sum(other == support[item] for other in support)
        return (fewer + as_many / 2) / len(support)

    expected = [sum(map(percentile, row)) / len(row) for row in items.tolist()]
    np.testing.assert_allclose(popularity_percentile.per_prediction(items, support), expected)
