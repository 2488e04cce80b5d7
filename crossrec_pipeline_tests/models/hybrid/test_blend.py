from math import log2

import numpy as np
import pytest

from crossrec_pipeline.models.hybrid.blend import (
    blend,
    ndcg,
    target_ranks,
    target_rows,
    tune_weights,
)
from crossrec_pipeline.models.hybrid.union import union
from crossrec_pipeline_tests.models.hybrid.written_lists import lists_of

TYPES = np.array([0, 0, 1, 1])


def test_shares_are_added_up_by_the_weights_of_the_items_type():
    table = union([lists_of({0: 0.5, 2: 0.5}), lists_of({2: 1.0})], 4, 9)
    weights = np.array([[1.0, 0.0], [0.2, 0.8]], dtype=np.float32)
    # Item 0: 1 · 0.5; item 2: 0.2 · 0.5 + 0.8 · 1.
    assert blend(table, weights, TYPES).tolist() == pytest.approx([0.5, 0.9])


def test_targets_are_found_among_the_candidates():
    table = union([lists_of({1: 1.0, 0: 2.0}, {3: 1.0}, {})], 4, 9)
    assert target_rows(table, np.array([1, 0, 2])).tolist() == [1, -1, -1]


def test_a_target_is_ranked_with_ties_against_it():
    offsets = np.array([0, 3, 4, 4])
    scores = np.array([1.0, 2.0, 1.0, 5.0])
    ranks = target_ranks(offsets, scores, np.array([0, 3, -1]))
    assert ranks.tolist() == [3, 1, 0]


def test_ndcg_of_one_relevant_item():
    assert ndcg(np.array([1, 3, 20, 21, 0])).tolist() == pytest.approx(
        [1, 1 / log2(4), 1 / log2(21), 0, 0]
    )


def test_the_model_that_is_right_gets_the_weight():
    right, wrong = {0: 0.4, 1: 0.6}, {0: 0.9, 1: 0.1}
    table = union([lists_of(*[right] * 50), lists_of(*[wrong] * 50)], 4, 9)
    weights = tune_weights(table, np.ones(50, np.int64), TYPES, 2)
    assert weights[0, 0] * 0.6 + weights[0, 1] * 0.1 > weights[0, 0] * 0.4 + weights[0, 1] * 0.9
    assert weights.sum(axis=1).mean() == pytest.approx(1)


def test_a_model_may_be_right_for_one_type_only():
    # Items 0 and 1 are of type 0, 2 and 3 of type 1. The first model tells those of type 0 apart,
    # the second those of type 1; each is wrong about the other type.
    first, second = {0: 0.4, 1: 0.3, 2: 0.1, 3: 0.2}, {0: 0.1, 1: 0.2, 2: 0.4, 3: 0.3}
    table = union([lists_of(*[first] * 40), lists_of(*[second] * 40)], 4, 9)
    weights = tune_weights(table, np.array([0, 2] * 20), TYPES, 2)
    scores = blend(table, weights, TYPES)[:4]
    order = dict(zip(table.items[:4].tolist(), scores.tolist(), strict=True))
    assert order[0] > order[1]
    assert order[2] > order[3]


def test_without_predictions_all_weigh_alike():
    table = union([lists_of(), lists_of()], 4, 9)
    weights = tune_weights(table, np.zeros(0, np.int64), TYPES, 2)
    assert weights.tolist() == [[0.5, 0.5], [0.5, 0.5]]
