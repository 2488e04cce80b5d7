import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.models.rules.largest import largest


def marked(sizes: list[list[float]], top: int) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in largest(np.array(sizes, dtype=float), top)]


def test_largest_of_each_row_are_marked() -> None:
    assert marked([[1, 3, 2], [5, 4, 6]], top=2) == [[1, 2], [0, 2]]


def test_of_equal_ones_the_first_are_marked() -> None:
    assert marked([[1, 2, 1, 1]], top=3) == [[0, 1, 2]]


def test_zeros_are_never_marked() -> None:
    assert marked([[0, 2, 0, 0]], top=2) == [[1]]
    assert marked([[0, 2]], top=5) == [[1]]


def test_no_rows_have_no_marks() -> None:
    assert largest(np.zeros((0, 3)), 2).shape == (0, 3)


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=5),
    st.integers(1, 8),
)
def test_marks_are_those_of_sorting(sizes: list[list[float]], top: int) -> None:
    for row, found in zip(sizes, marked(sizes, top), strict=True):
        best = sorted(range(6), key=lambda column: (-row[column], column))[:top]
        assert found == sorted(column for column in best if row[column])
