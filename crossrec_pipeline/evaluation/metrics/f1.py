"""F1@K: the harmonic mean of a prediction's Precision@K and Recall@K."""

import numpy as np

from crossrec_pipeline.evaluation.metrics.relevant import Relevant, mean_or_nan


def per_prediction(relevant: Relevant, k: int) -> np.ndarray:
    r"""Return F1@K of each prediction, float64 [P].

    .. math:: \mathrm{F1@}K =
        \frac{2 P R}{P + R} =
        \frac{2\,|\mathrm{top}_K \cap \mathrm{relevant}|}{K + |\mathrm{relevant}|}

    The right-hand form is 0 without hits, where precision and recall alone would give 0 / 0.
    Range 0 to 1; with one true next item at most 2 / (K + 1).
    """
    return 2 * relevant.hits(k) / (k + relevant.n_relevant)


def calc(relevant: Relevant, k: int) -> float:
    """Return the mean over predictions; NaN when there are none.

    This is the mean of F1, not F1 of the mean precision and recall.
    """
    return mean_or_nan(per_prediction(relevant, k))
