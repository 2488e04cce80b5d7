import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.models.candidates import Lists
from crossrec_pipeline.models.hybrid.union import shares, union
from crossrec_pipeline_tests.models.hybrid.written_lists import lists_of

FIRST = lists_of({3: 1.0, 1: 3.0}, {0: 2.0, 2: 2.0}, {})
SECOND = lists_of({3: 5.0}, {}, {})


def test_shares_of_a_list_add_up_to_one():
    assert shares(FIRST).scores.tolist() == [0.25, 0.75, 0.5, 0.5]
    assert shares(lists_of({}, {})).scores.tolist() == []


def test_a_union_by_hand():
    table = union([shares(FIRST), shares(SECOND)], n_items=4, n_best=5)
    assert table.offsets.tolist() == [0, 2, 4, 4]
    # The first list's order, best first; equal shares as listed.
    assert table.items.tolist() == [1, 3, 0, 2]
    assert table.shares.tolist() == [[0.75, 0], [0.25, 1], [0.5, 0], [0.5, 0]]
    assert table.ranks.tolist() == [[1, 0], [2, 1], [1, 0], [2, 0]]
    assert table.query.tolist() == [0, 0, 1, 1]
    assert table.n_queries == 3


def test_only_the_best_of_each_list_are_taken():
    table = union([shares(FIRST), shares(SECOND)], n_items=4, n_best=1)
    assert table.items.tolist() == [1, 3, 0]
    # Item 3 is the first list's second: it is not taken from there, and has no rank in it.
    assert table.ranks.tolist() == [[1, 0], [0, 1], [1, 0]]


ROWS = st.lists(
    st.dictionaries(st.integers(0, 5), st.floats(0.125, 9.0, width=32), max_size=6),
    min_size=1,
    max_size=4,
)


@given(ROWS, st.integers(1, 7), st.randoms())
def test_a_union_holds_what_each_model_says(rows, n_best, random):
    others = [dict(random.sample(sorted(row.items()), len(row) // 2)) for row in rows]
    members = [lists_of(*rows), lists_of(*others)]
    table = union(members, n_items=6, n_best=n_best)
    for query, pair in enumerate(zip(rows, others, strict=True)):
        part = slice(*table.offsets[query : query + 2])
        for member, row in enumerate(pair):
            best = sorted(row, key=lambda item: -row[item])[:n_best]
            found = {
                int(item): (rank, share)
                for item, rank, share in zip(
                    table.items[part],
                    table.ranks[part, member],
                    table.shares[part, member],
                    strict=True,
                )
                if rank
            }
            assert sorted(found) == sorted(best)
            for item, (rank, share) in found.items():
                assert share == np.float32(row[item])
                assert sum(other > row[item] for other in row.values()) < rank
        assert len(set(table.items[part].tolist())) == len(table.items[part])
        assert (table.ranks[part] > 0).any(axis=1).all()


def test_a_query_that_no_model_answers_has_no_rows():
    empty = Lists(np.array([0, 0]), np.zeros(0, np.int32), np.zeros(0, np.float32))
    table = union([empty, empty], n_items=3, n_best=2)
    assert table.offsets.tolist() == [0, 0]
    assert table.shares.shape == (0, 2)


@pytest.mark.parametrize("n_best", [1, 3])
def test_no_queries_give_no_rows(n_best: int):
    assert union([lists_of(), lists_of()], n_items=3, n_best=n_best).n_queries == 0


def test_candidates_of_some_queries():
    table = union([lists_of({3: 2.0, 1: 1.0}, {0: 1.0}, {2: 1.0})], n_items=4, n_best=5)
    chosen = table.of(np.array([True, False, True]))
    assert chosen.offsets.tolist() == [0, 2, 3]
    assert chosen.items.tolist() == [3, 1, 2]
    assert chosen.ranks[:, 0].tolist() == [1, 2, 1]
