"""MRR@K: how far up the first relevant item stands."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import Relevant, mean_or_nan


def per_prediction(relevant: Relevant, k: int) -> np.ndarray:
    r"""Return the reciprocal rank of each prediction's first relevant item, float64 [P].

    .. math:: \mathrm{RR@}K = \begin{cases} 1 / r & r \le K \\ 0 & r > K \end{cases}
        \qquad r = \min_{i \in \mathrm{relevant}} \mathrm{rank}(i)

    Range 0 to 1. It never falls as K grows; with one relevant item it never exceeds Recall@K.
    """
    first = relevant.first_rank
    return np.where(first <= k, 1.0 / first, 0.0)


def calc(relevant: Relevant, k: int) -> float:
    """Return the mean over predictions (the mean reciprocal rank); NaN when there are none."""
    return mean_or_nan(per_prediction(relevant, k))
