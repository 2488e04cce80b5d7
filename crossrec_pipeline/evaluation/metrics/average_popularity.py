"""ARP@K, average recommendation popularity: how often train met the items that are shown."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import mean_or_nan


def per_prediction(lists: np.ndarray, support: np.ndarray) -> np.ndarray:
    r"""Return the mean train support of each list's items, float64 [P].

    .. math:: \mathrm{ARP@}K = \frac{1}{K} \sum_{i \in \mathrm{top}_K} n_i

    In events, from the least to the largest support; the higher, the more the list is of what is
    popular anyway (Yin et al., 2012).

    Parameters
    ----------
    lists
        Recommended items, int [P, K].
    support
        Events in train by item, int [n_items].
    """
    return support[lists].mean(axis=1)


def calc(lists: np.ndarray, support: np.ndarray) -> float:
    """Return the mean over predictions; NaN when there are none."""
    return mean_or_nan(per_prediction(lists, support))
