"""Sizes in; marks at the largest of each row out."""

import numpy as np


def largest(sizes: np.ndarray, top: int) -> np.ndarray:
    """Mark the `top` largest of each row that are above zero; of equal ones the first.

    Parameters
    ----------
    sizes
        float [B, n].
    top
        At least 1.

    Returns
    -------
    bool [B, n]
    """
    above_zero = sizes > 0
    if sizes.shape[1] <= top:
        return above_zero
    least = np.partition(sizes, -top, axis=1)[:, -top, None]
    larger = sizes > least
    equal = sizes == least
    room = top - larger.sum(axis=1, keepdims=True)
    return (larger | (equal & (np.cumsum(equal, axis=1) <= room))) & above_zero
