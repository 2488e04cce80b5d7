"""Members' lists in; one list a query out, by the blend and, at its top, by the re-ranker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.models.candidates import Lists, Queries
from crossrec_pipeline.models.hybrid.blend import blend
from crossrec_pipeline.models.hybrid.features import ItemKnowledge, features
from crossrec_pipeline.models.hybrid.order import best_rows, only
from crossrec_pipeline.models.hybrid.reranker import Reranker
from crossrec_pipeline.models.hybrid.union import Candidates, union

_ABOVE_FLOOR = 32.0
_LEAST_SHARE = 1e-12
"""Logarithms of shares, -28 … 0, are moved above the floor, which is below 0."""
_ABOVE_SHARES = 64.0
_FARTHEST = 30.0
"""Scores of trees are moved above those, 34 … 94; they seldom leave -10 … 10."""


@dataclass(frozen=True)
class Ranker:
    """What is learnt from validation, and how it is used.

    Attributes
    ----------
    weights
        Of each type and member, float32 [T, M].
    reranker
        Trees; None where the blend is better without them.
    n_best, n_reranked
        As in `HybridConfig`.
    """

    weights: np.ndarray
    reranker: Reranker | None
    n_best: int
    n_reranked: int

    def lists(self, members: Sequence[Lists], queries: Queries, items: ItemKnowledge) -> Lists:
        """Rank what members list, float32 scores above 0."""
        return self.order(union(members, len(items.type_codes), self.n_best), queries, items)

    def order(self, candidates: Candidates, queries: Queries, items: ItemKnowledge) -> Lists:
        """Score all candidates: those ranked again above the others.

        A softmax of the scores gives back the blended shares where nothing is ranked again.
        """
        blended = blend(candidates, self.weights, items.type_codes)
        scores = (_ABOVE_FLOOR + np.log(np.maximum(blended, _LEAST_SHARE))).astype(np.float32)
        if self.reranker is None:
            return Lists(candidates.offsets, candidates.items, scores)
        rows = best_rows(candidates.offsets, blended, self.n_reranked)
        table = features(only(candidates, rows), blended[rows], queries, items)
        scores[rows] = _ABOVE_SHARES + np.clip(self.reranker.scores(table), -_FARTHEST, _FARTHEST)
        return Lists(candidates.offsets, candidates.items, scores)
