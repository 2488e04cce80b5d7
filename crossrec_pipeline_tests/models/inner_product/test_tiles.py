import numpy as np
import pytest
from numba import njit

from crossrec_pipeline.models.inner_product import tiles
from crossrec_pipeline.models.inner_product.tiles import MOST_QUERIES, PANEL, tile_1, tile_2, tile_4

TILES = {1: tile_1, 2: tile_2, 4: tile_4}


def _products(
    n_queries: int, panels: np.ndarray, panel: int, queries: np.ndarray, first: int
) -> np.ndarray:
    tile = TILES[n_queries]

    @njit  # anew each time, for the instructions of the test
    def compute(
        panels: np.ndarray, panel: int, queries: np.ndarray, starts: np.ndarray, first: int
    ) -> np.ndarray:
        products = np.zeros((MOST_QUERIES, PANEL), dtype=np.float32)
        tile(panels, panel, queries, starts, first, products)
        return products

    starts = (-128 * queries.astype(np.int32).sum(axis=1)).astype(np.int32)
    return compute(panels, panel, queries, starts, first)[:n_queries]


@pytest.mark.parametrize("has_instruction", [True, False])
@pytest.mark.parametrize("n_queries", [1, 2, 4])
def test_products_of_bytes_are_exact(
    n_queries: int, has_instruction: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if has_instruction and not tiles.has_byte_products():
        pytest.skip("this processor has no AVX-512 VNNI")
    monkeypatch.setattr(tiles, "has_byte_products", lambda: has_instruction)
    generator = np.random.default_rng(0)
    items = generator.integers(-127, 128, (3 * PANEL, 20))
    items[:2] = [[127] * 20, [-127] * 20]
    queries = generator.integers(-127, 128, (6, 20))
    queries[2] = 127
    panels = (items + 128).astype(np.uint8).reshape(3, PANEL, 5, 4).transpose(0, 2, 1, 3).copy()
    for panel in range(3):
        found = _products(n_queries, panels, panel, queries.astype(np.int8), 2)
        expected = queries[2 : 2 + n_queries] @ items[panel * PANEL : (panel + 1) * PANEL].T
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n_queries", [1, 2, 4])
def test_products_of_floats_are_those_of_a_matrix_product(n_queries: int) -> None:
    generator = np.random.default_rng(1)
    items = generator.standard_normal((2 * PANEL, 7), dtype=np.float32)
    queries = generator.standard_normal((5, 7), dtype=np.float32)
    panels = items.reshape(2, PANEL, 7).transpose(0, 2, 1).copy()
    found = _products(n_queries, panels, 1, queries, 1)
    expected = queries[1 : 1 + n_queries] @ items[PANEL:].T
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
