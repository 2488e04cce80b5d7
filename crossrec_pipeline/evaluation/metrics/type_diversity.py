"""Type diversity@K: how often two items of one list are of different types."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import mean_or_nan


def per_prediction(lists: np.ndarray, type_codes: np.ndarray) -> np.ndarray:
    r"""Return the share of each list's pairs whose items differ in type, float64 [P].

    .. math:: \frac{2}{K (K - 1)} \sum_{i < j} [t_i \ne t_j]

    Range 0 (one type only) to 1 (no type twice); intra-list diversity (Ziegler et al., 2005) by the
    type. NaN for lists of one item, which have no pair.

    Parameters
    ----------
    lists
        Recommended items, int [P, K].
    type_codes
        Code of each item's type, int [n_items].
    """
    n_lists, k = lists.shape
    types = type_codes[lists]
    different = np.zeros(n_lists, dtype=np.int64)
    for apart in range(1, k):
        different += (types[:, apart:] != types[:, :-apart]).sum(axis=1)
    n_pairs = k * (k - 1) // 2
    return different / n_pairs if n_pairs else np.full(n_lists, np.nan)


def calc(lists: np.ndarray, type_codes: np.ndarray) -> float:
    """Return the mean over predictions that have a value; NaN when there are none."""
    values = per_prediction(lists, type_codes)
    return mean_or_nan(values[~np.isnan(values)])
