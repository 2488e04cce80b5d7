"""Predictions of validation in; the blend's weights, and trees if they earn their place, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.models.hybrid.blend import (
    CUTOFF,
    blend,
    ndcg,
    target_ranks,
    target_rows,
    tune_weights,
)
from crossrec_pipeline.models.hybrid.config import HybridConfig
from crossrec_pipeline.models.hybrid.examples import Examples
from crossrec_pipeline.models.hybrid.features import ItemKnowledge, feature_names, features
from crossrec_pipeline.models.hybrid.order import best_rows, only
from crossrec_pipeline.models.hybrid.ranker import Ranker
from crossrec_pipeline.models.hybrid.reranker import Reranker

_ERRORS_ABOVE = 2.0
"""Standard errors by which the trees must be better on sessions that they were not trained on."""
_LEAST_QUERIES = 500


@dataclass(frozen=True)
class Learnt:
    """Weights float32 [T, M]; trees, or None; figures of validation."""

    weights: np.ndarray
    reranker: Reranker | None
    summary: dict[str, Any]


def learn(
    examples: Examples,
    members: Sequence[str],
    items: ItemKnowledge,
    n_types: int,
    config: HybridConfig,
    progress: Progress | None = None,
) -> Learnt:
    """Choose the weights; train trees on half of the sessions, and judge them on the other half.

    Trees that are better than the blend on the other half are trained again on all sessions. With
    too few sessions to train trees on there are none.

    Parameters
    ----------
    examples
        Predictions of validation; the members were not trained on them.
    members
        Names of the members.
    items, n_types
        Of the vocabulary.
    config
        The hybrid's options.
    progress
        Receives a line now and then.
    """
    say = progress or (lambda _: None)
    weights = tune_weights(examples.candidates, examples.targets, items.type_codes, n_types)
    say("weights " + _in_words(members, weights))
    judged = _judge(examples, members, items, n_types, config) if config.n_trees else None
    if judged is None:
        return Learnt(weights, None, {"reranked": False, "predictions": len(examples.targets)})
    say(
        f"NDCG@{CUTOFF} on the other half of validation: blend {judged.blended:.4f}, re-ranked "
        f"{judged.reranked:.4f} (gain {judged.gain:.4f}, standard error {judged.error:.4f})"
    )
    earned = judged.gain > _ERRORS_ABOVE * judged.error
    reranker = _train(examples, weights, members, items, config) if earned else None
    summary = {
        "predictions": len(examples.targets),
        f"ndcg_at_{CUTOFF}_of_blend": judged.blended,
        f"ndcg_at_{CUTOFF}_reranked": judged.reranked,
        "gain": judged.gain,
        "standard_error_of_gain": judged.error,
        "reranked": reranker is not None,
    }
    return Learnt(weights, reranker, summary)


@dataclass(frozen=True)
class _Judgement:
    """NDCG@20 of both on sessions that neither was learnt from; the gain and its error."""

    blended: float
    reranked: float
    gain: float
    error: float


def _judge(
    examples: Examples,
    members: Sequence[str],
    items: ItemKnowledge,
    n_types: int,
    config: HybridConfig,
) -> _Judgement | None:
    """Learn from every other session, and look at the rest; None where there is too little."""
    chosen = examples.session % 2 == 0
    half, other = examples.only(chosen), examples.only(~chosen)
    weights = tune_weights(half.candidates, half.targets, items.type_codes, n_types)
    reranker = _train(half, weights, members, items, config)
    if reranker is None or len(np.unique(other.session)) < 2:
        return None
    blended, reranked = (
        _ndcg(other, Ranker(weights, trees, config.n_best, config.n_reranked), items)
        for trees in (None, reranker)
    )
    _, session = np.unique(other.session, return_inverse=True)
    # Predictions of one session are not independent.
    totals = np.bincount(session, weights=reranked - blended)
    error = float(np.sqrt(len(totals) * totals.var(ddof=1)) / len(blended))
    gain = float((reranked - blended).mean())
    return _Judgement(float(blended.mean()), float(reranked.mean()), gain, error)


def _train(
    examples: Examples,
    weights: np.ndarray,
    members: Sequence[str],
    items: ItemKnowledge,
    config: HybridConfig,
) -> Reranker | None:
    """Train on the queries whose next item is among those to be ranked again."""
    candidates = examples.candidates
    blended = blend(candidates, weights, items.type_codes)
    best = only(candidates, best_rows(candidates.offsets, blended, config.n_reranked))
    found = np.zeros(best.n_queries, dtype=bool)
    is_target = best.items == examples.targets[best.query]
    found[best.query[is_target]] = True
    if found.sum() < _LEAST_QUERIES:
        return None
    chosen = examples.only(found)
    blended = blend(chosen.candidates, weights, items.type_codes)
    rows = best_rows(chosen.candidates.offsets, blended, config.n_reranked)
    best = only(chosen.candidates, rows)
    return Reranker.train(
        features(best, blended[rows], chosen.queries, items),
        best.items == chosen.targets[best.query],
        np.diff(best.offsets),
        feature_names(tuple(members)),
        config.n_trees,
        config.seed,
    )


def _ndcg(examples: Examples, ranker: Ranker, items: ItemKnowledge) -> np.ndarray:
    lists = ranker.order(examples.candidates, examples.queries, items)
    target_row = target_rows(examples.candidates, examples.targets)
    return ndcg(target_ranks(lists.offsets, lists.scores, target_row))


def _in_words(members: Sequence[str], weights: np.ndarray) -> str:
    return "; ".join(
        f"{name} " + "/".join(f"{weight:.2f}" for weight in column)
        for name, column in zip(members, weights.T, strict=True)
    )
