"""Novelty@K: how little the items that are shown are known, in bits."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import mean_or_nan


def self_information(support: np.ndarray) -> np.ndarray:
    """Return -log2 of each item's share of the events in train, float64 [n_items].

    Raises
    ------
    ValueError
        If an item has no events: its information would be infinite.
    """
    if len(support) and support.min() < 1:
        raise ValueError("every item needs at least one event in train")
    return np.log2(support.sum()) - np.log2(support)


def per_prediction(lists: np.ndarray, support: np.ndarray) -> np.ndarray:
    r"""Return the mean self-information of each list's items, float64 [P].

    .. math:: \mathrm{Novelty@}K =
        \frac{1}{K} \sum_{i \in \mathrm{top}_K} -\log_2 \frac{n_i}{\sum_j n_j}

    In bits, 0 or more: an item of half as many events has one bit more (Zhou et al., 2010).

    Parameters
    ----------
    lists
        Recommended items, int [P, K].
    support
        Events in train by item, at least one each, int [n_items].

    Raises
    ------
    ValueError
        If an item has no events.
    """
    return self_information(support)[lists].mean(axis=1)


def calc(lists: np.ndarray, support: np.ndarray) -> float:
    """Return the mean over predictions; NaN when there are none."""
    return mean_or_nan(per_prediction(lists, support))
