"""Items' vectors in; panels of them to multiply with out, and how far products may be off."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.inner_product.tiles import MOST_QUERIES, PANEL

_ROUNDING = 2.0**-24
_LEAST_SCALE = 1e-30
_MOST_BYTE = 127
_ITEMS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Panels:
    """Items in the order they are walked through, in panels; see `tiles`.

    The product of item i with a query is ``scale[i]`` times what `tiles` computes, times the
    query's own scale. It is off by at most ``size[i]`` times the query's margin.

    Attributes
    ----------
    cells
        float32 [n, width, PANEL], or uint8 [n, width / 4, PANEL, 4].
    scale, size
        float32 [n × PANEL].
    loss, reach
        Greatest norm of what rounding took from a vector, and of a vector, each divided by the
        item's size.
    """

    cells: np.ndarray
    scale: np.ndarray
    size: np.ndarray
    loss: float
    reach: float


@dataclass(frozen=True)
class QueryOperand:
    """Hidden states, ready to be multiplied with panels.

    Attributes
    ----------
    rows
        Of the panels' width and kind, signed bytes for bytes, [Q, width]; Q is a multiple of
        `MOST_QUERIES`, rows beyond the states are zeros.
    starts
        What sums of bytes begin with, int32 [Q].
    scale, margin
        See `Panels`, float32 [Q].
    """

    rows: np.ndarray
    starts: np.ndarray
    scale: np.ndarray
    margin: np.ndarray


def float_panels(weight: np.ndarray, items: np.ndarray) -> Panels:
    """Put vectors into panels as they are.

    Parameters
    ----------
    weight
        float32 [n_items, H].
    items
        Item of each place in the panels, or -1, int [n × PANEL].
    """
    n_panels, width = len(items) // PANEL, weight.shape[1]
    cells = np.zeros((n_panels, width, PANEL), dtype=np.float32)
    size = np.zeros(n_panels * PANEL, dtype=np.float32)
    for first, block in _blocks(weight, items):
        n_whole = len(block) // PANEL
        cells[first : first + n_whole] = block.reshape(n_whole, PANEL, width).transpose(0, 2, 1)
        size[first * PANEL :][: len(block)] = _above(
            np.linalg.norm(block.astype(np.float64), axis=1)
        )
    return Panels(cells, np.ones_like(size), size, 0.0, 1.0)


def byte_panels(weight: np.ndarray, items: np.ndarray) -> Panels:
    """Round vectors to bytes, each in steps of a 127th of its largest cell; see `float_panels`."""
    n_panels, width = len(items) // PANEL, weight.shape[1]
    wide = -(-width // 4) * 4
    cells = np.full((n_panels, wide // 4, PANEL, 4), 128, dtype=np.uint8)
    scale = np.zeros(n_panels * PANEL, dtype=np.float32)
    loss = reach = 0.0
    for first, block in _blocks(weight, items):
        exact = block.astype(np.float64)
        step = np.maximum(np.abs(exact).max(axis=1) / _MOST_BYTE, _LEAST_SCALE).astype(np.float32)
        rounded = np.rint(exact / step[:, None])
        lost = np.linalg.norm(exact - rounded * step[:, None], axis=1) / step
        loss = max(loss, lost.max(initial=0.0))
        reach = max(reach, (np.linalg.norm(exact, axis=1) / step).max(initial=0.0))
        padded = np.full((len(block), wide), 128, dtype=np.uint8)
        padded[:, :width] = np.clip(rounded, -_MOST_BYTE, _MOST_BYTE) + 128
        n_whole = len(block) // PANEL
        cells[first : first + n_whole] = padded.reshape(n_whole, PANEL, wide // 4, 4).transpose(
            0, 2, 1, 3
        )
        scale[first * PANEL :][: len(block)] = step
    return Panels(cells, scale, scale, loss, reach)


def query_operand(hidden: np.ndarray, panels: Panels) -> QueryOperand:
    """Make an operand of hidden states, float32 [Q, H].

    By Cauchy and Schwarz, what rounding two vectors changes in their product is at most the norm
    of what one has lost times the norm of the other. To that comes the rounding of sums, of these
    scores and of the exact ones alike: n additions in float32 err by at most about n 2^-24 of the
    sum of absolute values, which the product of the norms bounds (Higham 2002, section 3.1).
    """
    n_rows = -(-len(hidden) // MOST_QUERIES) * MOST_QUERIES
    starts = np.zeros(n_rows, dtype=np.int32)
    scale, margin = np.ones(n_rows, dtype=np.float32), np.zeros(n_rows, dtype=np.float32)
    if panels.cells.dtype == np.uint8:
        rows = np.zeros((n_rows, 4 * panels.cells.shape[1]), dtype=np.int8)
        _round_rows(hidden, rows, starts, scale, margin, panels.loss, panels.reach)
    else:
        rows = np.zeros((n_rows, hidden.shape[1]), dtype=np.float32)
        rows[: len(hidden)] = hidden
        norm = np.linalg.norm(hidden.astype(np.float64), axis=1)
        margin[: len(hidden)] = _above(rounding_of_sums(hidden.shape[1]) * norm)
    return QueryOperand(rows, starts, scale, margin)


def rounding_of_sums(width: int) -> float:
    """Bound how far two sums of `width` products are apart, relative to the norms' product."""
    # Twice for both sums, and four times again for what is multiplied and added afterwards.
    return 8 * (width + 8) * _ROUNDING


@kernel(error_model="numpy")
def _round_rows(
    hidden: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    scale: np.ndarray,
    margin: np.ndarray,
    loss: float,
    reach: float,
) -> None:
    n_rows, width = hidden.shape
    for row in range(n_rows):
        highest = _LEAST_SCALE * _MOST_BYTE
        for column in range(width):
            highest = max(highest, abs(float(hidden[row, column])))
        step = float(np.float32(highest / _MOST_BYTE))
        total, norm, lost, kept = 0, 0.0, 0.0, 0.0
        for column in range(width):
            exact = float(hidden[row, column])
            rounded = min(max(np.rint(exact / step), -float(_MOST_BYTE)), float(_MOST_BYTE))
            rows[row, column] = np.int8(rounded)
            total += int(rounded)
            norm += exact * exact
            kept += rounded * rounded
            lost += (exact - rounded * step) ** 2
        starts[row] = -128 * total
        scale[row] = step
        summed = 8 * (width + 8) * _ROUNDING * np.sqrt(norm)
        margin[row] = 1.001 * (np.sqrt(kept) * step * loss + (np.sqrt(lost) + summed) * reach)


def _above(values: np.ndarray) -> np.ndarray:
    """Round to float32, never down."""
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))


def _blocks(weight: np.ndarray, items: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first panel and the vectors of whole panels, zeros where there is no item."""
    for begin in range(0, len(items), _ITEMS_AT_ONCE):
        here = items[begin : begin + _ITEMS_AT_ONCE]
        yield begin // PANEL, np.where(here[:, None] >= 0, weight[here], np.float32(0))
