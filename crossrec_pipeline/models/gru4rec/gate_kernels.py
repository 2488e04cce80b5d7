"""What reaches a GRU's gates in; states and, backwards, gradients out (compiled, for the CPU).

The reset, update and new gate lie side by side in rows of 3 H cells. With inputs x, recurrent part
u and state before h: r = σ(x_r + u_r), z = σ(x_z + u_z), n = tanh(x_n + r u_n), and the state is
n + z (h - n), times what is kept of it.
"""

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.gru4rec.exponential import exponential

_ONE = np.float32(1.0)
_TWO = np.float32(2.0)


# One loop for each result: with few arrays at once, the compiler finds out that they do not
# overlap and takes several cells at a time.
@kernel(error_model="numpy", fastmath={"contract"})
def gates_forward(
    inputs: np.ndarray,
    recurrent: np.ndarray,
    before: np.ndarray,
    gates: np.ndarray,
    after: np.ndarray,
) -> None:
    """Compute gates and states.

    Parameters
    ----------
    inputs, recurrent
        Float32 [B, 3 H].
    before
        States before, float32 [B, H].
    gates
        Receives r, z and n, float32 [B, 3 H].
    after
        Receives the states, float32 [B, H].
    """
    n_rows, width = before.shape
    for row in range(n_rows):
        x, u, g, h, y = inputs[row], recurrent[row], gates[row], before[row], after[row]
        for cell in range(2 * width):
            g[cell] = _ONE / (_ONE + exponential(-(x[cell] + u[cell])))
        x_n, u_n, r, z, n = x[2 * width :], u[2 * width :], g[:width], g[width:], g[2 * width :]
        for cell in range(width):
            argument = x_n[cell] + r[cell] * u_n[cell]
            n[cell] = _TWO / (_ONE + exponential(-_TWO * argument)) - _ONE
        for cell in range(width):
            y[cell] = n[cell] + z[cell] * (h[cell] - n[cell])


@kernel(error_model="numpy", fastmath={"contract"})
def gates_backward(
    d_after: np.ndarray,
    recurrent: np.ndarray,
    before: np.ndarray,
    gates: np.ndarray,
    d_inputs: np.ndarray,
    d_recurrent: np.ndarray,
    d_before: np.ndarray,
) -> None:
    """Compute gradients from those of the states.

    Parameters
    ----------
    d_after
        Gradient of the states, float32 [B, H].
    recurrent, before, gates
        As in `gates_forward`.
    d_inputs, d_recurrent
        Receive the gradients of `inputs` and `recurrent`, float32 [B, 3 H].
    d_before
        Receives that of `before`, but for what reaches it through `recurrent`, float32 [B, H].
    """
    n_rows, width = before.shape
    for row in range(n_rows):
        d_y, h, g, d_h = d_after[row], before[row], gates[row], d_before[row]
        r, z, n, u_n = g[:width], g[width : 2 * width], g[2 * width :], recurrent[row, 2 * width :]
        d_x, d_u = d_inputs[row], d_recurrent[row]
        d_r, d_z, d_n, d_u_n = d_x[:width], d_x[width:], d_x[2 * width :], d_u[2 * width :]
        for cell in range(width):
            d_z[cell] = d_y[cell] * (h[cell] - n[cell]) * z[cell] * (_ONE - z[cell])
        for cell in range(width):
            d_n[cell] = d_y[cell] * (_ONE - z[cell]) * (_ONE - n[cell] * n[cell])
        for cell in range(width):
            d_r[cell] = d_n[cell] * u_n[cell] * r[cell] * (_ONE - r[cell])
        for cell in range(width):
            d_u_n[cell] = d_n[cell] * r[cell]
        for cell in range(width):
            d_h[cell] = d_y[cell] * z[cell]
        d_u[: 2 * width] = d_x[: 2 * width]
