import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.models.inner_product.tiles import PANEL
from crossrec_pipeline.serving.engine.panels import Panels, byte_panels, float_panels, query_operand

KINDS = {"bytes": byte_panels, "floats": float_panels}


def _cells_by_item(panels: Panels) -> np.ndarray:
    """Undo the layout, float64 [n × PANEL, width]."""
    cells = panels.cells.astype(np.float64)
    if panels.cells.dtype == np.uint8:
        cells -= 128
        return cells.transpose(0, 2, 1, 3).reshape(-1, 4 * cells.shape[1])
    return cells.transpose(0, 2, 1).reshape(-1, cells.shape[1])


@pytest.mark.parametrize("make", KINDS.values(), ids=list(KINDS))
@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 40),
    size=st.integers(-33, 5),
    size_of_query=st.integers(-6, 2),
    seed=st.integers(0, 2**32),
)
def test_products_are_off_by_no_more_than_the_margin(
    make: type, width: int, size: int, size_of_query: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    weight = (10.0**size * generator.standard_normal((PANEL, width))).astype(np.float32)
    weight[:2] = 0
    spread = 10.0 ** generator.uniform(-3, 0, (5, width))
    hidden = (10.0**size_of_query * spread * generator.standard_normal((5, width))).astype(
        np.float32
    )
    panels = make(weight, np.arange(PANEL))
    operand = query_operand(hidden, panels)
    products = operand.rows[:5].astype(np.float64) @ _cells_by_item(panels).T
    approximate = products * operand.scale[:5, None] * panels.scale
    exact = hidden.astype(np.float64) @ weight.T
    # 1e-30 as `Walker` allows for numbers too small for float32's full precision.
    assert (
        np.abs(approximate - exact) <= operand.margin[:5, None].astype(float) * panels.size + 1e-30
    ).all()


@pytest.mark.parametrize("make", KINDS.values(), ids=list(KINDS))
def test_places_without_an_item_are_zeros(make: type) -> None:
    weight = np.ones((2, 3), dtype=np.float32)
    items = np.full(PANEL, -1)
    items[5] = 1
    cells = _cells_by_item(make(weight, items))
    assert np.flatnonzero(cells.any(axis=1)).tolist() == [5]


def test_sums_of_bytes_begin_with_what_takes_away_the_items_offset() -> None:
    weight = np.array([[1.0, -0.5]], dtype=np.float32).repeat(PANEL, axis=0)
    panels = byte_panels(weight, np.arange(PANEL))
    operand = query_operand(np.array([[0.2, 1.0]], dtype=np.float32), panels)
    # 0.2 × 127 = 25.4, rounded to 25; 25 + 127 = 152.
    assert operand.rows[0].tolist() == [25, 127, 0, 0]
    assert operand.starts[0] == -128 * 152
