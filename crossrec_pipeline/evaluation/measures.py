"""Ranks go in, one value a prediction comes out for each figure that is reported of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation import chance
from crossrec_pipeline.evaluation.metrics import METRICS, Relevant, recall
from crossrec_pipeline.sessions.vocabulary import Vocabulary

CUTOFFS = (5, 10, 20)
CURVE_CUTOFFS = (1, 2, 3, 5, 10, 20, 50, 100)
"""Further cut-offs of the overall Recall@K of the next item, for its curve."""
HEADLINE_CUTOFF = 20
WITHIN_TYPE = "recall_within_type"
"""Recall@K of the next item when only the items of its type are ranked."""

HEADLINE = (("recall", HEADLINE_CUTOFF), ("mrr", HEADLINE_CUTOFF), ("ndcg", HEADLINE_CUTOFF))
"""Of the next item: what models are compared by, and what contexts are shown of."""
BOUNDED = (
    *HEADLINE,
    ("precision", 10),
    ("recall", 10),
    ("f1", 10),
    ("mrr", 10),
    ("ndcg", 10),
)
"""Of the next item: what has an interval."""


@dataclass(frozen=True)
class Measure:
    """What one figure is the mean of.

    Attributes
    ----------
    relevance
        ``next`` (the next item alone) or ``rest`` (all distinct items still to come).
    metric, k
        Name in `METRICS`, or `WITHIN_TYPE`, and cut-off.
    values
        One value a prediction, float64 [P].
    """

    relevance: str
    metric: str
    k: int
    values: np.ndarray


def all_measures(ranks: pl.DataFrame) -> Iterator[Measure]:
    """Make one measure after the other, so that few arrays of [P] are held at a time."""
    relevants = {
        "next": Relevant.next_item(ranks),
        "rest": Relevant.rest_of_session(ranks),
    }
    for relevance, relevant in relevants.items():
        for metric, per_prediction in METRICS.items():
            for k in _cutoffs(relevance, metric):
                yield Measure(relevance, metric, k, per_prediction(relevant, k))
    within = Relevant.next_item(ranks, "rank_within_type")
    for k in CUTOFFS:
        yield Measure("next", WITHIN_TYPE, k, recall.per_prediction(within, k))


def chance_measures(ranks: pl.DataFrame, vocabulary: Vocabulary) -> Iterator[Measure]:
    """Make the exact expectation of `all_measures` under a random order of all items."""
    n_relevants = {
        "next": np.ones(ranks.height, dtype=np.int64),
        "rest": ranks["rest_ranks"].list.len().to_numpy().astype(np.int64),
    }
    for relevance, n_relevant in n_relevants.items():
        for metric, expected in chance.EXPECTED.items():
            for k in _cutoffs(relevance, metric):
                values = expected(n_relevant, vocabulary.n_items, k)
                yield Measure(relevance, metric, k, values)
    type_of_target = vocabulary.type_codes[ranks["target_index"].to_numpy()]
    n_of_type = np.bincount(vocabulary.type_codes, minlength=len(vocabulary.types))[type_of_target]
    for k in CUTOFFS:
        yield Measure("next", WITHIN_TYPE, k, np.minimum(k, n_of_type) / n_of_type)


def headline_measures(ranks: pl.DataFrame) -> Iterator[Measure]:
    """Make the measures that `HEADLINE` names."""
    return _next_item(ranks, HEADLINE)


def bounded_measures(ranks: pl.DataFrame) -> Iterator[Measure]:
    """Make the measures that `BOUNDED` names."""
    return _next_item(ranks, BOUNDED)


def _next_item(ranks: pl.DataFrame, named: tuple[tuple[str, int], ...]) -> Iterator[Measure]:
    relevant = Relevant.next_item(ranks)
    for metric, k in named:
        yield Measure("next", metric, k, METRICS[metric](relevant, k))


def _cutoffs(relevance: str, metric: str) -> tuple[int, ...]:
    return CURVE_CUTOFFS if (relevance, metric) == ("next", "recall") else CUTOFFS
