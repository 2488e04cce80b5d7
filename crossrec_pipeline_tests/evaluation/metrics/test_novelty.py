import math

import numpy as np
import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import novelty
from crossrec_pipeline_tests.evaluation.metrics.lists import NO_LISTS, lists, supports

SUPPORT = np.array([8, 4, 2, 2])  # 1/2, 1/4, 1/8 and 1/8 of the events


def test_bits_of_each_list():
    found = novelty.per_prediction(np.array([[0, 1], [2, 3]]), SUPPORT)

    assert found.tolist() == [(1 + 2) / 2, (3 + 3) / 2]


def test_mean_over_predictions():
    assert novelty.calc(np.array([[0, 1], [2, 3]]), SUPPORT) == pytest.approx(2.25)


def test_no_lists_is_not_zero():
    assert math.isnan(novelty.calc(NO_LISTS, SUPPORT))


def test_an_item_without_events_is_refused():
    with pytest.raises(ValueError, match="at least one event"):
        novelty.calc(np.array([[0]]), np.array([3, 0]))


@given(lists(), supports)
def test_equal_to_working_it_out_one_by_one(items: np.ndarray, support: np.ndarray):
    bits = [-math.log2(n / support.sum()) for n in support]
    expected = [sum(bits[item] for item in row) / len(row) for row in items.tolist()]

    np.testing.assert_allclose(novelty.per_prediction(items, support), expected, atol=1e-12)
