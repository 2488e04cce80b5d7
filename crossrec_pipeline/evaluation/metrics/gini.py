"""Gini@K: how unequally the places in the lists are dealt out among all items."""

import numpy as np


def calc(lists: np.ndarray, n_items: int) -> float:
    r"""Return the Gini coefficient of how often each item is recommended; NaN without lists.

    .. math:: \mathrm{Gini@}K = \frac{\sum_{i = 1}^{V} (2 i - V - 1) c_i}{V \sum_i c_i}
        \qquad c_1 \le c_2 \le \dots \le c_V

    Range 0 (all items equally often) to 1 - K / V (everybody is shown the same K items). Items that
    are never recommended count, with 0 (Fleder and Hosanagar, 2009).

    Parameters
    ----------
    lists
        Recommended items, int [P, K].
    n_items
        Items that can be recommended, V.
    """
    if not lists.size:
        return float("nan")
    counts = np.sort(np.bincount(lists.ravel(), minlength=n_items))
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float((weights * counts).sum() / (n_items * counts.sum()))
