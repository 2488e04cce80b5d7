"""Scores in; softmax cross-entropy and its gradient out, in their place (compiled, for the CPU)."""

import numpy as np
from numba import njit

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.gru4rec.exponential import exponential

_ZERO = np.float32(0.0)
_LEAST_INTEGER = np.int32(-(2**31))
_SIGN = np.int32(31)
_ALL_BUT_SIGN = np.int32(2**31 - 1)


# The greatest of floats is looked for one by one, because of NaN; of integers, several at a time.
# With all but the sign turned over in negative ones, the bits of floats are in the order of the
# floats. NaN comes above infinity, so that it is not lost.
@njit
def _add_and_find_greatest(row: np.ndarray, bias: np.ndarray) -> np.float32:
    greatest = _LEAST_INTEGER
    for column in range(len(row)):
        score = row[column] + bias[column]
        row[column] = score
        greatest = max(greatest, _in_order(np.float32(score).view(np.int32)))
    return np.int32(_in_order(greatest)).view(np.float32)


@njit(forceinline=True)
def _in_order(bits: np.int32) -> np.int32:
    return bits ^ ((bits >> _SIGN) & _ALL_BUT_SIGN)


@njit(fastmath={"reassoc", "contract"})
def _exponentials(row: np.ndarray, greatest: np.float32) -> np.float32:
    total = _ZERO
    for column in range(len(row)):
        value = exponential(row[column] - greatest)
        row[column] = value
        total += value
    return total


@kernel(error_model="numpy")
def softmax_cross_entropy(
    scores: np.ndarray, bias: np.ndarray, target_column: np.ndarray, d_bias: np.ndarray
) -> float:
    """Turn scores into the gradient of their mean cross-entropy.

    Parameters
    ----------
    scores
        Float32 [N, C], without the bias; the gradient afterwards.
    bias
        What is added to each column, float32 [C].
    target_column
        Column of each row's target, int64 [N].
    d_bias
        Receives the gradient of `bias`, float32 [C].

    Returns
    -------
    float
        Mean over the rows.
    """
    share = np.float32(1 / len(scores))
    d_bias[:] = _ZERO
    loss = 0.0
    for row in range(len(scores)):
        values, target = scores[row], target_column[row]
        greatest = _add_and_find_greatest(values, bias)
        target_score = values[target]
        total = _exponentials(values, greatest)
        loss += np.log(total) + np.float64(greatest) - np.float64(target_score)
        scale = share / total
        for column in range(len(values)):
            values[column] *= scale
            d_bias[column] += values[column]
        values[target] -= share
        d_bias[target] -= share
    return loss / len(scores)
