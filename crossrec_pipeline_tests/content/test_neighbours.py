import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.content import neighbours
from crossrec_pipeline.content.neighbours import NOBODY, nearest, nearest_by_type

DEGREES = np.array([0, 10, 30, 90, 180])
CIRCLE = np.stack([np.cos(np.radians(DEGREES)), np.sin(np.radians(DEGREES))], axis=1).astype(
    np.float32
)


def unit_vectors(rng: np.random.Generator, n: int, dimension: int = 8) -> np.ndarray:
    vectors = rng.standard_normal((n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_nearest_on_a_circle_are_those_of_the_smallest_angle():
    rows, cosines = nearest(CIRCLE[:1], CIRCLE, k=3)
    np.testing.assert_array_equal(rows, [[0, 1, 2]])
    np.testing.assert_allclose(cosines[0], np.cos(np.radians([0, 10, 30])), rtol=1e-6)


def test_an_item_is_no_neighbour_of_itself():
    rows, _ = nearest(CIRCLE, CIRCLE, k=1, own_rows=np.arange(5))
    np.testing.assert_array_equal(rows[:, 0], [1, 0, 1, 2, 3])


def test_where_there_are_fewer_the_rest_is_nobody():
    rows, cosines = nearest(CIRCLE[:1], CIRCLE[:2], k=3, own_rows=np.array([0]))
    np.testing.assert_array_equal(rows, [[1, NOBODY, NOBODY]])
    np.testing.assert_array_equal(cosines[0, 1:], 0)


def test_zero_vectors_are_near_nothing_and_nothing_is_near_them():
    vectors = np.concatenate([np.zeros((1, 2), np.float32), CIRCLE[[0, 4]]])
    rows, cosines = nearest(vectors, vectors, k=2, own_rows=np.arange(3))
    np.testing.assert_array_equal(rows, [[NOBODY] * 2, [2, NOBODY], [1, NOBODY]])
    np.testing.assert_allclose(cosines[1:, 0], -1)
    np.testing.assert_array_equal(cosines[0], 0)


def test_of_equal_ones_the_first_is_taken():
    vectors = CIRCLE[[3, 0, 0, 0]]
    rows, _ = nearest(CIRCLE[:1], vectors, k=2)
    np.testing.assert_array_equal(rows, [[1, 2]])


@pytest.mark.parametrize("n", [0, 3])
def test_of_nothing_there_is_nothing(n: int):
    rows, cosines = nearest(CIRCLE[:n], CIRCLE[:0], k=2)
    assert (rows.shape, cosines.shape) == ((n, 2), (n, 2))
    assert (rows == NOBODY).all()


@given(n=st.integers(1, 40), k=st.integers(1, 6), seed=st.integers(0, 99))
def test_blocks_find_what_sorting_all_finds(n: int, k: int, seed: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_QUERIES", 7)
        patch.setattr(neighbours, "_ITEMS", 5)
        rng = np.random.default_rng(seed)
        vectors = unit_vectors(rng, n)
        vectors[rng.random(n) < 0.2] = 0
        rows, cosines = nearest(vectors, vectors, k, own_rows=np.arange(n))
    scores = vectors @ vectors.T
    for row in range(n):
        others = [o for o in range(n) if o != row and vectors[o].any() and vectors[row].any()]
        best = sorted(others, key=lambda o: -scores[row, o])[:k]
        assert rows[row, : len(best)].tolist() == best
        np.testing.assert_allclose(cosines[row, : len(best)], scores[row, best], rtol=1e-5)
        assert (rows[row, len(best) :] == NOBODY).all()


def test_neighbours_of_each_type_are_found_apart():
    types = ["Movie", "Book", "Movie", "Book", "Music"]
    found = nearest_by_type(CIRCLE, types, k=2)
    assert found.types == ["Book", "Movie", "Music"]
    # Item 0, a movie at 0°: books at 10° and 90°; the other movie at 30°; the track at 180°.
    np.testing.assert_array_equal(found.rows[0], [[1, 3], [2, NOBODY], [4, NOBODY]])
    # Item 4, the only track: nobody of its own type.
    np.testing.assert_array_equal(found.rows[4], [[3, 1], [2, 0], [NOBODY, NOBODY]])
    np.testing.assert_allclose(found.cosines[0, 0, 0], np.cos(np.radians(10)), rtol=1e-6)


def test_neighbours_of_some_items_are_those_of_all():
    types = ["Movie", "Book", "Movie", "Book", "Music"]
    some = nearest_by_type(CIRCLE, types, k=2, of_rows=np.array([3, 0]))
    np.testing.assert_array_equal(some.rows, nearest_by_type(CIRCLE, types, k=2).rows[[3, 0]])
