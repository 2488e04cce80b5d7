"""Written-out scores in; the best of the items that may be recommended out (compiled)."""

import numpy as np
from numba import njit

from crossrec_pipeline.kernels import kernel


@kernel(error_model="numpy")
def best_allowed(
    scores: np.ndarray,
    k: int,
    type_codes: np.ndarray,
    is_allowed: np.ndarray,
    excluded: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best `k` items, best first; equal scores by item index.

    Parameters
    ----------
    scores
        Of all items, float32 [n_items]; items whose score is not a number are left out.
    k
        How many; fewer come back when fewer are allowed.
    type_codes
        Type of each item, int [n_items].
    is_allowed
        Types that may be recommended, bool [n_types].
    excluded
        Items that may not, rising, int32 [n].

    Returns
    -------
    items, values
        int32 and float32 [k'].
    """
    items = np.empty(min(k, len(scores)), dtype=np.int32)
    values = np.empty(len(items), dtype=np.float32)
    n, at_excluded = 0, 0
    for item in range(len(scores)):
        score = scores[item]
        if n == len(items) and not score > values[n - 1]:
            continue
        if np.isnan(score) or not is_allowed[type_codes[item]]:
            continue
        while at_excluded < len(excluded) and excluded[at_excluded] < item:
            at_excluded += 1
        if at_excluded < len(excluded) and excluded[at_excluded] == item:
            continue
        n = _insert(items, values, n, item, score)
    return items[:n], values[:n]


@njit
def _insert(items: np.ndarray, values: np.ndarray, n: int, item: int, value: np.float32) -> int:
    """Put an item behind all that are as good, the last falling out; return how many there are."""
    at = min(n, len(items) - 1)
    while at and values[at - 1] < value:
        items[at], values[at] = items[at - 1], values[at - 1]
        at -= 1
    items[at], values[at] = item, value
    return min(n + 1, len(items))
