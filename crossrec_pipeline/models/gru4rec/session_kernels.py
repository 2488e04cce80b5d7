"""Input vectors of sessions in; the states of a GRU's layers after each event out (compiled).

Each session's numbers are computed in one order, whatever is computed beside them: its states do
not depend on the batch, nor on where they were taken up again.
"""

import numpy as np

from crossrec_pipeline.models.gru4rec.gate_kernels import gates_forward
from crossrec_pipeline.models.kernels import kernel

_ROWS_AT_ONCE = 16
"""Rows whose sums stay near the processor while all of a matrix passes by."""


@kernel(error_model="numpy", fastmath={"contract"})
def add_products(rows: np.ndarray, matrix: np.ndarray, sums: np.ndarray) -> None:
    """Add ``rows @ matrix`` to sums.

    Parameters
    ----------
    rows, matrix
        Float32 [N, K] and [K, J].
    sums
        Float32 [N, J]; changed.
    """
    n_rows, depth = rows.shape
    for first in range(0, n_rows, _ROWS_AT_ONCE):
        last = min(first + _ROWS_AT_ONCE, n_rows)
        for at in range(0, depth - 3, 4):
            m_0, m_1, m_2, m_3 = matrix[at], matrix[at + 1], matrix[at + 2], matrix[at + 3]
            for row in range(first, last):
                x_0, x_1, x_2, x_3 = rows[row, at : at + 4]
                total = sums[row]
                for cell in range(len(total)):
                    total[cell] = (
                        total[cell]
                        + x_0 * m_0[cell]
                        + x_1 * m_1[cell]
                        + x_2 * m_2[cell]
                        + x_3 * m_3[cell]
                    )
        for at in range(depth // 4 * 4, depth):
            column = matrix[at]
            for row in range(first, last):
                x, total = rows[row, at], sums[row]
                for cell in range(len(total)):
                    total[cell] += x * column[cell]


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
        Recurrent weights of the three gates, float32 [H, 3 H] and [3 H].
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
