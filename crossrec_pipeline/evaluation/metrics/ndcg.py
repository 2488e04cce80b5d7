"""NDCG@K: relevant items weighted by how far up they stand, against the best possible order."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import Relevant, mean_or_nan


def discount(rank: np.ndarray) -> np.ndarray:
    """Return the weight of a rank, 1 / log2(1 + rank): 1 at the top."""
    return 1.0 / np.log2(1.0 + rank)


def ideal_dcg(n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Return the DCG@K of relevant items that fill the first ranks, float64 as `n_relevant`."""
    best = np.cumsum(discount(np.arange(1, k + 1)))
    return best[np.minimum(n_relevant, k) - 1]


def per_prediction(relevant: Relevant, k: int) -> np.ndarray:
    r"""Return NDCG@K with binary gain of each prediction, float64 [P].

    .. math:: \mathrm{NDCG@}K =
        \frac{\sum_{i \in \mathrm{relevant},\, \mathrm{rank}(i) \le K} 1 / \log_2(1 +
        \mathrm{rank}(i))}{\sum_{r = 1}^{\min(|\mathrm{relevant}|, K)} 1 / \log_2(1 + r)}

    Range 0 to 1; 1 if and only if relevant items fill the first min(\|relevant\|, K) ranks
    (Järvelin and Kekäläinen, 2002).
    """
    dcg = relevant.sum_over_hits(discount(relevant.ranks), k)
    # Both are sums of the same numbers in another order: rounding may leave 1 by its last bit.
    return np.minimum(dcg / ideal_dcg(relevant.n_relevant, k), 1.0)


def calc(relevant: Relevant, k: int) -> float:
    """Return the mean over predictions; NaN when there are none."""
    return mean_or_nan(per_prediction(relevant, k))
