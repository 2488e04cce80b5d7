"""Recall@K: which share of the relevant items was among the K shown."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import Relevant, mean_or_nan


def per_prediction(relevant: Relevant, k: int) -> np.ndarray:
    r"""Return Recall@K of each prediction, float64 [P].

    .. math:: \mathrm{Recall@}K =
        \frac{|\mathrm{top}_K \cap \mathrm{relevant}|}{|\mathrm{relevant}|}

    Range 0 to 1; with one relevant item it is the hit rate. It never falls as K grows.
    """
    return relevant.hits(k) / relevant.n_relevant


def calc(relevant: Relevant, k: int) -> float:
    """Return the mean over predictions; NaN when there are none."""
    return mean_or_nan(per_prediction(relevant, k))
