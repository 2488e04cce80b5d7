"""MAP@K: how far up all relevant items stand, by the precision at each of them."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import Relevant, mean_or_nan


def per_prediction(relevant: Relevant, k: int) -> np.ndarray:
    r"""Return the average precision at K of each prediction, float64 [P].

    .. math:: \mathrm{AP@}K = \frac{1}{\min(R, K)} \sum_{j:\, r_j \le K} \frac{j}{r_j}
        \qquad r_1 \le r_2 \le \dots \le r_R

    Precision at the rank of each relevant item within K, over the most such items there can be
    (Voorhees and Harman, 2005). Range 0 to 1; 1 if and only if relevant items fill the first
    min(R, K) ranks. With one true next item it is MRR@K.

    Relevant items of one rank count one after the other: the first of two at rank 3 has the
    precision 1/3, the second 2/3, so that no order of tied items would be worse.
    """
    precision = relevant.ordinals / relevant.ranks
    total = relevant.sum_over_hits(precision, k)
    return total / np.minimum(relevant.n_relevant, k)


def calc(relevant: Relevant, k: int) -> float:
    """Return the mean over predictions (mean average precision); NaN when there are none."""
    return mean_or_nan(per_prediction(relevant, k))
