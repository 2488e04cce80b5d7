import math

import numpy as np
import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import gini
from crossrec_pipeline_tests.evaluation.metrics.lists import N_ITEMS, NO_LISTS, lists


def test_counts_by_hand():
    # Counts 0, 1, 3 of three items: (-2 * 0 + 0 * 1 + 2 * 3) / (3 * 4).
    assert gini.calc(np.array([[0], [0], [0], [1]]), 3) == pytest.approx(6 / 12)


def test_all_items_equally_often_is_zero():
    assert gini.calc(np.array([[0, 1], [2, 3]]), 4) == 0.0


def test_the_same_list_for_everybody_is_the_most_unequal():
    # One minus K / V.
    assert gini.calc(np.array([[0, 1], [0, 1], [1, 0]]), 8) == pytest.approx(1 - 2 / 8)


def test_no_lists_is_not_zero():
    assert math.isnan(gini.calc(NO_LISTS, 5))


@given(lists())
def test_equal_to_the_mean_difference_of_all_pairs(items: np.ndarray):
    counts = [items.ravel().tolist().count(item) for item in range(N_ITEMS)]
    differences = sum(abs(a - b) for a in counts for b in counts)

    assert gini.calc(items, N_ITEMS) == pytest.approx(differences / (2 * N_ITEMS * sum(counts)))
