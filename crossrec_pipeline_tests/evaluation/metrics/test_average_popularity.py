import math

import numpy as np
import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import average_popularity
from crossrec_pipeline_tests.evaluation.metrics.lists import NO_LISTS, lists, supports

SUPPORT = np.array([10, 4, 1])


def test_mean_support_of_each_list():
    found = average_popularity.per_prediction(np.array([[0, 1], [2, 1]]), SUPPORT)

    assert found.tolist() == [(10 + 4) / 2, (1 + 4) / 2]


def test_mean_over_predictions():
    assert average_popularity.calc(np.array([[0, 1], [2, 1]]), SUPPORT) == pytest.approx(4.75)


def test_no_lists_is_not_zero():
    assert math.isnan(average_popularity.calc(NO_LISTS, SUPPORT))


@given(lists(), supports)
def test_between_the_least_and_the_largest_support(items: np.ndarray, support: np.ndarray):
    found = average_popularity.per_prediction(items, support)

    assert ((found >= support.min()) & (found <= support.max())).all()
