"""Vectors in; their scores out, in float32 and one fixed order of summation (compiled)."""

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.inner_product.lane_sums import LANES, sum_of_products


@kernel(error_model="numpy")
def exact_score(
    hidden: np.ndarray, row: int, weight: np.ndarray, bias: np.ndarray, item: int
) -> np.float32:
    """Score an item: what ranks are defined by.

    The order of summation is the same for every item, block and machine: items of equal vectors and
    biases have equal scores. Matrix products do not promise that.

    Parameters
    ----------
    hidden, weight, bias
        Float32 [R, H], [n_items, H] and [n_items].
    row, item
        Which of them.
    """
    total = sum_of_products(hidden, row, weight, item)
    width = hidden.shape[1]
    for column in range(width // LANES * LANES, width):
        total += hidden[row, column] * weight[item, column]
    return total + bias[item]


@kernel(error_model="numpy")
def exact_scores(
    hidden: np.ndarray, weight: np.ndarray, bias: np.ndarray, rows: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """Score one item for each of some rows, int64 [T] each: float32 [T]; see `exact_score`."""
    scores = np.empty(len(rows), dtype=np.float32)
    for k in range(len(rows)):
        scores[k] = exact_score(hidden, rows[k], weight, bias, items[k])
    return scores
