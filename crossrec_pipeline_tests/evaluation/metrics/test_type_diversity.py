import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given

from crossrec_pipeline.evaluation.metrics import type_diversity
from crossrec_pipeline_tests.evaluation.metrics.lists import NO_LISTS, lists

TYPES = np.array([0, 0, 1, 2, 0, 1, 1, 2, 2], dtype=np.int8)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([0, 1, 4], 0.0),  # one type
        ([0, 2, 3], 1.0),  # three types
        ([0, 1, 2], 2 / 3),  # two of three pairs
    ],
)
def test_share_of_pairs_that_differ(items: list[int], expected: float):
    assert type_diversity.calc(np.array([items]), TYPES) == pytest.approx(expected)


def test_a_list_of_one_item_has_no_value():
    assert np.isnan(type_diversity.per_prediction(np.array([[0], [3]]), TYPES)).all()
    assert math.isnan(type_diversity.calc(np.array([[0], [3]]), TYPES))


def test_no_lists_is_not_zero():
    assert math.isnan(type_diversity.calc(NO_LISTS, TYPES))


@given(lists(min_length=2))
def test_equal_to_going_through_all_pairs(items: np.ndarray):
    expected = [
        np.mean([TYPES[a] != TYPES[b] for a, b in combinations(row, 2)]) for row in items.tolist()
    ]
    np.testing.assert_allclose(type_diversity.per_prediction(items, TYPES), expected)
