"""Input vectors of sessions in; the states of a GRU's layers after each event out (compiled).

Each session's numbers are computed in one order, whatever is computed beside them: its states do
not depend on the batch, nor on where they were taken up again.
"""

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.gru4rec.gate_kernels import gates_forward
from crossrec_pipeline.models.inner_product.tiles import (
    MOST_QUERIES,
    PANEL,
    tile_1,
    tile_2,
    tile_4,
)


def in_panels(matrix: np.ndarray) -> np.ndarray:
    """Lay a matrix out as `add_products` reads it, float32 [K, J] → [⌈J / PANEL⌉, K, PANEL]."""
    padded = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % PANEL)))
    return np.ascontiguousarray(
        padded.reshape(len(matrix), -1, PANEL).transpose(1, 0, 2), dtype=np.float32
    )


# Without any fast mathematics, which what is called here would take over.
@kernel(error_model="numpy")
def add_products(rows: np.ndarray, panels: np.ndarray, sums: np.ndarray) -> None:
    """Add the products of rows and a matrix to sums.

    Parameters
    ----------
    rows
        Float32 [N, K].
    panels
        The matrix, [K, J], as `in_panels` lays it out.
    sums
        Float32 [N, J]; changed.
    """
    n_rows, width = sums.shape
    products = np.empty((MOST_QUERIES, PANEL), dtype=np.float32)
    starts = np.empty(0, dtype=np.int32)  # of bytes only
    for panel in range(len(panels)):
        begin = panel * PANEL
        end = min(begin + PANEL, width)
        row = 0
        while row < n_rows:
            if n_rows - row >= 4:
                tile_4(panels, panel, rows, starts, row, products)
                n_here = 4
            elif n_rows - row >= 2:
                tile_2(panels, panel, rows, starts, row, products)
                n_here = 2
            else:
                tile_1(panels, panel, rows, starts, row, products)
                n_here = 1
            for number in range(n_here):
                total, product = sums[row + number, begin:end], products[number]
                for cell in range(end - begin):
                    total[cell] += product[cell]
            row += n_here


@kernel(error_model="numpy")
def run_layer(
    inputs: np.ndarray,
    begins: np.ndarray,
    lengths: np.ndarray,
    state: np.ndarray,
    weight_hh: np.ndarray,
    bias_hh: np.ndarray,
    after: np.ndarray,
) -> None:
    """Run one layer of a GRU over sessions side by side.

    Parameters
    ----------
    inputs
        What the events add to the reset, update and new gate, float32 [N, 3 H].
    begins, lengths
        First event and number of events of each session, longest first, int64 [S].
    state
        State each session begins with, float32 [S, H]; changed to its last one.
    weight_hh, bias_hh
        Recurrent weights of the three gates, [H, 3 H] as `in_panels` lays it out, and float32
        [3 H].
    after
        Receives the state after each event, float32 [N, H].
    """
    n_sessions, width = state.shape
    recurrent = np.empty((n_sessions, 3 * width), dtype=np.float32)
    gates = np.empty((1, 3 * width), dtype=np.float32)
    alive = n_sessions
    longest = lengths[0] if n_sessions else 0
    for step in range(longest):
        while lengths[alive - 1] <= step:
            alive -= 1
        for session in range(alive):
            recurrent[session] = bias_hh
        add_products(state[:alive], weight_hh, recurrent[:alive])
        for session in range(alive):
            event = begins[session] + step
            gates_forward(
                inputs[event : event + 1],
                recurrent[session : session + 1],
                state[session : session + 1],
                gates,
                after[event : event + 1],
            )
            state[session] = after[event]
