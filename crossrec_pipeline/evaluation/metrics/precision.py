"""Precision@K: which share of the K shown items was relevant."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import Relevant, mean_or_nan


def per_prediction(relevant: Relevant, k: int) -> np.ndarray:
    r"""Return Precision@K of each prediction, float64 [P].

    .. math:: \mathrm{Precision@}K = \frac{|\mathrm{top}_K \cap \mathrm{relevant}|}{K}

    Range 0 to 1. With R relevant items it cannot exceed min(R, K) / K: with one true next item,
    1 / K.
    """
    return relevant.hits(k) / k


def calc(relevant: Relevant, k: int) -> float:
    """Return the mean over predictions; NaN when there are none."""
    return mean_or_nan(per_prediction(relevant, k))
