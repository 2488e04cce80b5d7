import numpy as np

from crossrec_pipeline.models.hybrid.order import best_rows, only
from crossrec_pipeline.models.hybrid.union import union
from crossrec_pipeline_tests.models.hybrid.written_lists import lists_of

OFFSETS = np.array([0, 3, 3, 5])
SCORES = np.array([1.0, 3.0, 3.0, 4.0, 5.0])


def test_the_best_rows_of_each_query_come_best_first():
    assert best_rows(OFFSETS, SCORES, 2).tolist() == [1, 2, 4, 3]
    assert best_rows(OFFSETS, SCORES, 9).tolist() == [1, 2, 0, 4, 3]
    assert best_rows(np.array([0]), SCORES[:0], 2).tolist() == []


def test_chosen_rows_stay_with_their_query():
    table = union([lists_of({0: 3.0, 1: 2.0, 2: 1.0}, {}, {3: 2.0, 0: 1.0})], 4, 9)
    chosen = only(table, np.array([1, 2, 4]))
    assert chosen.offsets.tolist() == [0, 2, 2, 3]
    assert chosen.items.tolist() == [1, 2, 0]
    assert chosen.shares[:, 0].tolist() == [2.0, 1.0, 1.0]
    assert chosen.ranks[:, 0].tolist() == [2, 3, 2]
