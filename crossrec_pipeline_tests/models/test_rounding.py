import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.models.rounding import round_in_order


def test_values_that_32_bits_hold_stay_as_they_are() -> None:
    values = np.array([0.5, -2.0, 3.0])
    assert round_in_order(values, np.zeros(3, dtype=int)).tolist() == [0.5, -2.0, 3.0]


def test_neighbours_that_would_become_one_stay_apart() -> None:
    values = np.array([1 + 2e-12, 1.0, 1 + 1e-12, 2.0])
    rounded = round_in_order(values, np.zeros(4, dtype=int))
    assert rounded[1] < rounded[2] < rounded[0] < rounded[3]
    assert np.allclose(rounded, values, atol=1e-6)


def test_equal_values_stay_equal() -> None:
    rounded = round_in_order(np.array([7.1, 7.1]), np.zeros(2, dtype=int))
    assert rounded[0] == rounded[1]


def test_groups_do_not_push_each_other() -> None:
    rounded = round_in_order(np.array([1.0, 1 + 1e-12]), np.array([0, 1]))
    assert rounded.tolist() == [1.0, 1.0]


def test_no_values_are_no_trouble() -> None:
    assert round_in_order(np.empty(0), np.empty(0, dtype=int)).dtype == np.float32


@given(
    entries=st.lists(
        st.tuples(st.integers(0, 2), st.integers(-40, 40).map(lambda n: 1 + n * 1e-9)), min_size=1
    )
)
def test_order_within_groups_survives(entries: list[tuple[int, float]]) -> None:
    group = np.array([entry[0] for entry in entries])
    values = np.array([entry[1] for entry in entries])
    rounded = round_in_order(values, group)
    assert rounded.dtype == np.float32
    for number in np.unique(group):
        inside = group == number
        order_before = np.sign(values[inside][:, None] - values[inside][None, :])
        order_after = np.sign(rounded[inside][:, None] - rounded[inside][None, :])
        assert np.array_equal(order_before, order_after)
