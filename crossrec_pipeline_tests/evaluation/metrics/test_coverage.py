import math

import numpy as np
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import coverage
from crossrec_pipeline_tests.evaluation.metrics.lists import N_ITEMS, NO_LISTS, lists


def test_distinct_items_over_all_items():
    # Items 0, 1, 2 of five.
    assert coverage.calc(np.array([[0, 1], [1, 2], [0, 2]]), 5) == 3 / 5


def test_no_lists_is_not_zero():
    assert math.isnan(coverage.calc(NO_LISTS, 5))


@given(lists())
def test_at_least_one_list_and_at_most_everything(items: np.ndarray):
    assert items.shape[1] / N_ITEMS <= coverage.calc(items, N_ITEMS) <= 1
    assert coverage.calc(items, N_ITEMS) == len({*items.ravel().tolist()}) / N_ITEMS
