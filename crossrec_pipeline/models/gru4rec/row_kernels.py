"""Rows of tables and their gradients in; the rows moved in place out (compiled, for the CPU).

Tables are float32 [n, D], rows distinct int64 [R], gradients float32 [R, D].
"""

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.gru4rec.prefetch import prefetch_row

_ONE = np.float32(1.0)
_AHEAD = 8
"""Rows between the one that is asked for and the one that is worked on."""


@kernel(error_model="numpy")
def add_to_rows(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """Add values, float32 [M, D], to rows of a table that may come more than once, int64 [M]."""
    for k in range(len(rows)):
        to, value = table[rows[k]], values[k]
        for cell in range(len(to)):
            to[cell] += value[cell]


@kernel(error_model="numpy")
def adagrad_rows(
    table: np.ndarray,
    sum_of_squares: np.ndarray,
    rows: np.ndarray,
    gradient: np.ndarray,
    learning_rate: float,
    eps: float,
) -> None:
    """Move rows by Adagrad; see `RowAdagrad`."""
    rate, small = np.float32(learning_rate), np.float32(eps)
    for k in range(len(rows)):
        if k + _AHEAD < len(rows):
            prefetch_row(table, rows[k + _AHEAD])
            prefetch_row(sum_of_squares, rows[k + _AHEAD])
        values, squares, slope = table[rows[k]], sum_of_squares[rows[k]], gradient[k]
        for cell in range(len(values)):
            square = squares[cell] + slope[cell] * slope[cell]
            squares[cell] = square
            values[cell] -= rate * slope[cell] / np.sqrt(square + small)


@kernel(error_model="numpy")
def momentum_rows(
    table: np.ndarray,
    sum_of_squares: np.ndarray,
    last_move: np.ndarray,
    rows: np.ndarray,
    gradient: np.ndarray,
    learning_rate: float,
    momentum: float,
    eps: float,
) -> None:
    """Move rows by Adagrad with momentum; see `RowAdagrad`."""
    rate, small, share = np.float32(learning_rate), np.float32(eps), np.float32(momentum)
    for k in range(len(rows)):
        if k + _AHEAD < len(rows):
            prefetch_row(table, rows[k + _AHEAD])
            prefetch_row(sum_of_squares, rows[k + _AHEAD])
            prefetch_row(last_move, rows[k + _AHEAD])
        values, squares, slope = table[rows[k]], sum_of_squares[rows[k]], gradient[k]
        moves = last_move[rows[k]]
        for cell in range(len(values)):
            square = squares[cell] + slope[cell] * slope[cell]
            squares[cell] = square
            move = share * moves[cell] - rate * slope[cell] / np.sqrt(square + small)
            moves[cell] = move
            values[cell] += move


@kernel(error_model="numpy")
def adam_rows(
    table: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    times: np.ndarray,
    rows: np.ndarray,
    gradient: np.ndarray,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    eps: float,
) -> None:
    """Move rows by lazy Adam; see `RowAdam`."""
    keep_1, keep_2, small = np.float32(beta_1), np.float32(beta_2), np.float32(eps)
    for k in range(len(rows)):
        if k + _AHEAD < len(rows):
            prefetch_row(table, rows[k + _AHEAD])
            prefetch_row(mean, rows[k + _AHEAD])
            prefetch_row(square, rows[k + _AHEAD])
        row = rows[k]
        times[row] += _ONE
        n = np.float64(times[row])
        rate = np.float32(learning_rate / (1 - beta_1**n))
        correction = np.float32(1 / (1 - beta_2**n))
        values, first, second, slope = table[row], mean[row], square[row], gradient[k]
        for cell in range(len(values)):
            m = slope[cell] + keep_1 * (first[cell] - slope[cell])
            v = slope[cell] * slope[cell]
            v = v + keep_2 * (second[cell] - v)
            first[cell], second[cell] = m, v
            values[cell] -= rate * m / (np.sqrt(v * correction) + small)
