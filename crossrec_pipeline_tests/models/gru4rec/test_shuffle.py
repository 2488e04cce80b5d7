import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.models.gru4rec.shuffle import NumbersInOrder, ShuffledNumbers


def _order(n: int, key: int) -> ShuffledNumbers:
    return ShuffledNumbers(n, np.random.SeedSequence(key))


@given(st.integers(0, 3000), st.integers(0, 2**32))
def test_every_number_comes_once(n, key):
    order = _order(n, key)
    assert len(order) == n
    assert sorted(order[:].tolist()) == list(range(n))


@given(st.integers(1, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_part_is_the_same_whenever_it_is_looked_at(n, begin, length):
    whole = _order(n, 3)[:]
    part = _order(n, 3)[begin : begin + length]
    np.testing.assert_array_equal(part, whole[begin : begin + length])


def test_equal_keys_give_equal_orders_and_others_other_ones():
    one, same, other = _order(1000, 1)[:], _order(1000, 1)[:], _order(1000, 2)[:]
    np.testing.assert_array_equal(one, same)
    assert (one == other).sum() < 10


@pytest.mark.parametrize("n", [50, 64, 1000])
def test_every_number_is_equally_likely_at_every_place(n):
    keys = 20_000 // n * 10
    places = np.stack([_order(n, key)[:] for key in range(keys)])
    for place in (0, n // 2, n - 1):
        counts = np.bincount(places[:, place], minlength=n)
        chi_square = ((counts - keys / n) ** 2 / (keys / n)).sum()
        # Mean n - 1, standard deviation sqrt(2 (n - 1)).
        assert abs(chi_square - (n - 1)) < 5 * np.sqrt(2 * (n - 1))


def test_neighbours_in_the_order_are_no_neighbours_in_time():
    order = _order(100_000, 5)[:]
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(order, np.arange(100_000))[0, 1]) < 0.02
    # As often as by chance: 2 in n pairs.
    assert (np.abs(np.diff(order)) == 1).sum() < 15


def test_a_part_of_a_huge_order_takes_no_memory_for_the_rest():
    part = _order(10**12, 0)[10**11 : 10**11 + 5]
    assert len(set(part.tolist())) == 5
    assert 0 <= part.min() <= part.max() < 10**12


@given(st.integers(0, 500), st.integers(0, 600), st.integers(0, 600))
def test_numbers_in_order_are_those_of_a_list(n, begin, end):
    order = NumbersInOrder(n)
    assert len(order) == n
    assert order[begin:end].tolist() == list(range(n))[begin:end]
