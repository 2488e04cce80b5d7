"""Ranking metrics: relevant items' ranks go in, one value a prediction or their mean comes out."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from crossrec_pipeline.evaluation.metrics import (
    average_precision,
    f1,
    mrr,
    ndcg,
    precision,
    recall,
)
from crossrec_pipeline.evaluation.metrics.relevant import Relevant

METRICS: Mapping[str, Callable[[Relevant, int], np.ndarray]] = MappingProxyType(
    {
        "precision": precision.per_prediction,
        "recall": recall.per_prediction,
        "f1": f1.per_prediction,
        "mrr": mrr.per_prediction,
        "ndcg": ndcg.per_prediction,
        "map": average_precision.per_prediction,
    }
)
"""Every metric by name: relevant items and K give float64 [P]."""

__all__ = [
    "METRICS",
    "Relevant",
    "average_precision",
    "f1",
    "mrr",
    "ndcg",
    "precision",
    "recall",
]
