"""Popularity percentile@K: where the shown items stand between the rarest and the most popular."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import mean_or_nan


def percentiles(support: np.ndarray) -> np.ndarray:
    """Return the share of items that train met less often than each, float64 [n_items].

    Items of equal support count half, so that the mean over all items is 1/2 whatever the supports.
    """
    ordered = np.sort(support)
    fewer = np.searchsorted(ordered, support, side="left")
    at_most = np.searchsorted(ordered, support, side="right")
    return (fewer + at_most) / (2 * len(support))


def per_prediction(lists: np.ndarray, support: np.ndarray) -> np.ndarray:
    r"""Return the mean percentile of each list's items by train support, float64 [P].

    .. math:: \frac{1}{K} \sum_{i \in \mathrm{top}_K}
        \frac{|\{j: n_j < n_i\}| + |\{j: n_j = n_i\}| / 2}{|V|} \qquad j \in V

    Range 0 to 1; lists of items drawn at random have the expectation 1/2.

    Parameters
    ----------
    lists
        Recommended items, int [P, K].
    support
        Events in train by item, int [n_items].
    """
    return percentiles(support)[lists].mean(axis=1)


def calc(lists: np.ndarray, support: np.ndarray) -> float:
    """Return the mean over predictions; NaN when there are none."""
    return mean_or_nan(per_prediction(lists, support))
