"""The number of relevant and of all items goes in, each metric's exact value by chance comes out.

Chance is a uniformly random order of all items. Each relevant item then stands at each rank with
probability 1 / n_items, so that hits within K have the expectation R K / V (R relevant of V items);
Precision, Recall, F1 and NDCG are linear in hits. MRR needs the first relevant item's rank, whose
distribution is negative hypergeometric, and MAP how often two ranks hold relevant items together.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from crossrec_pipeline.evaluation.metrics.ndcg import discount, ideal_dcg


def precision(n_relevant: np.ndarray, n_items: int, k: int) -> np.ndarray:
    """Return the expected Precision@K: R min(K, V) / (V K), float64 as `n_relevant`."""
    return _hits(n_relevant, n_items, k) / k


def recall(n_relevant: np.ndarray, n_items: int, k: int) -> np.ndarray:
    """Return the expected Recall@K: min(K, V) / V, float64 as `n_relevant`."""
    return _hits(n_relevant, n_items, k) / n_relevant


def f1(n_relevant: np.ndarray, n_items: int, k: int) -> np.ndarray:
    """Return the expected F1@K: 2 R min(K, V) / (V (K + R)), float64 as `n_relevant`."""
    return 2 * _hits(n_relevant, n_items, k) / (k + n_relevant)


def mrr(n_relevant: np.ndarray, n_items: int, k: int) -> np.ndarray:
    """Return the expected MRR@K, float64 as `n_relevant`.

    The first of R relevant items stands at rank r with probability C(V - r, R - 1) / C(V, R): R / V
    at r = 1, and each next one is the last times (V - r - R + 1) / (V - r). With one relevant item
    the sum is (1 + 1/2 + … + 1/K) / V.
    """
    _check(n_relevant, n_items)
    probability = n_relevant / n_items
    expected = np.zeros(len(n_relevant))
    for rank in range(1, min(k, n_items) + 1):
        expected += probability / rank
        if rank < n_items:
            # Never below 0: the first of R items stands at rank V - R + 1 at the latest.
            left = np.maximum(n_items - rank - n_relevant + 1, 0)
            probability = probability * left / (n_items - rank)
    return expected


def ndcg(n_relevant: np.ndarray, n_items: int, k: int) -> np.ndarray:
    """Return the expected NDCG@K: R / V times the discounts of all K ranks, over the ideal DCG."""
    _check(n_relevant, n_items)
    all_ranks = discount(np.arange(1, min(k, n_items) + 1)).sum()
    return n_relevant / n_items * all_ranks / ideal_dcg(n_relevant, k)


def average_precision(n_relevant: np.ndarray, n_items: int, k: int) -> np.ndarray:
    r"""Return the expected AP@K, float64 as `n_relevant`.

    .. math:: \frac{1}{\min(R, K)} \sum_{r = 1}^{\min(K, V)} \frac{1}{r}
        \left[\frac{R}{V} + (r - 1) \frac{R (R - 1)}{V (V - 1)}\right]

    The bracket is the expected number of relevant items up to rank r, counted where r itself holds
    one: that item, and one for each of the r - 1 ranks above it, which holds another together with
    it with the probability R (R - 1) / (V (V - 1)). With one relevant item it is that of MRR@K.
    """
    _check(n_relevant, n_items)
    alone = n_relevant / n_items
    # Of one item there are no two; 1 keeps 0 / 0 away.
    together = n_relevant * (n_relevant - 1) / (n_items * max(n_items - 1, 1))
    expected = np.zeros(len(n_relevant))
    for rank in range(1, min(k, n_items) + 1):
        expected += (alone + (rank - 1) * together) / rank
    return expected / np.minimum(n_relevant, k)


def _hits(n_relevant: np.ndarray, n_items: int, k: int) -> np.ndarray:
    _check(n_relevant, n_items)
    return n_relevant * min(k, n_items) / n_items


def _check(n_relevant: np.ndarray, n_items: int) -> None:
    if len(n_relevant) and (n_relevant.min() < 1 or n_relevant.max() > n_items):
        raise ValueError(f"numbers of relevant items must lie between 1 and {n_items}")


EXPECTED: Mapping[str, Callable[[np.ndarray, int, int], np.ndarray]] = MappingProxyType(
    {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "mrr": mrr,
        "ndcg": ndcg,
        "map": average_precision,
    }
)
"""The expectation of every metric of `METRICS` by name: n_relevant [P], n_items, K give [P]."""
