"""Candidates in; one share of each out, and the weights that rank what came next best."""

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.hybrid.union import Candidates

CUTOFF = 20
_STEPS = (0.0, 0.25, 0.5, 0.75, 1.5, 2.0, 4.0)
_FINE_STEPS = (0.5, 0.7, 0.85, 1.2, 1.4, 2.0)
_ROUNDS = 4
_MOST_QUERIES = 10_000
"""Weights are few: more predictions cost time and do not move them."""
_LEAST_GAIN = 1e-4
"""NDCG@20 that a change must bring: less is as likely to be lost again on other sessions."""


def blend(candidates: Candidates, weights: np.ndarray, type_codes: np.ndarray) -> np.ndarray:
    """Add the members' shares up by the weights of each item's type, float32 [n].

    Parameters
    ----------
    candidates
        What members say, [n, M].
    weights
        Of each type and member, float32 [T, M].
    type_codes
        Type of each item, int [n_items].
    """
    return np.einsum("nm,nm->n", candidates.shares, weights[type_codes[candidates.items]])


def tune_weights(
    candidates: Candidates, targets: np.ndarray, type_codes: np.ndarray, n_types: int
) -> np.ndarray:
    """Choose the weights with the highest NDCG@20 of the next item.

    By coordinates: first each member's weight for all types, then for each type, on grids around
    what was best so far. A target that no member names counts 0.

    Parameters
    ----------
    candidates
        Of Q queries.
    targets
        Item that came next, int [Q].
    type_codes, n_types
        Type of each item, int [n_items], and how many types there are.

    Returns
    -------
    float32 [n_types, M]
        Every row's sum is 1 in the mean over types.
    """
    every = -(-candidates.n_queries // _MOST_QUERIES)
    if every > 1:
        chosen = np.arange(candidates.n_queries) % every == 0
        candidates, targets = candidates.of(chosen), targets[chosen]
    target_row = target_rows(candidates, targets)
    types = np.asarray(type_codes, dtype=np.int64)[candidates.items]
    n_members = candidates.shares.shape[1]

    def quality(weights: np.ndarray) -> float:
        ranks = _ranks(candidates.offsets, candidates.shares, types, weights, target_row)
        return float(ndcg(ranks).mean()) if len(ranks) else 0.0

    weights = np.full((n_types, n_members), 1 / n_members, dtype=np.float32)
    best = quality(weights)
    for _ in range(_ROUNDS):
        before = best
        for member in range(n_members):
            for rows, steps in _moves(n_types):
                # A weight that has become 0 begins anew.
                start = np.where(weights > 0, weights, np.float32(1 / n_members))
                for step in steps:
                    tried = weights.copy()
                    tried[rows, member] = start[rows, member] * step
                    if (found := quality(tried)) > best + _LEAST_GAIN:
                        weights, best = tried, found
        if best == before:
            break
    return weights / max(weights.sum(axis=1).mean(), 1e-9)


def _moves(n_types: int) -> list[tuple[slice, tuple[float, ...]]]:
    together = [(slice(None), _STEPS)]
    if n_types == 1:
        return together
    return together + [(slice(code, code + 1), _FINE_STEPS) for code in range(n_types)]


def target_rows(candidates: Candidates, targets: np.ndarray) -> np.ndarray:
    """Return the row of each query's target, -1 where no member names it, int64 [Q]."""
    query = candidates.query
    found = np.flatnonzero(candidates.items == targets[query])
    rows = np.full(candidates.n_queries, -1, dtype=np.int64)
    rows[query[found]] = found
    return rows


def target_ranks(offsets: np.ndarray, scores: np.ndarray, target_row: np.ndarray) -> np.ndarray:
    """Rank each query's target among its candidates, ties against it; 0 where it is none."""
    ones = np.ones((1, 1), dtype=np.float32)
    types = np.zeros(len(scores), dtype=np.int64)
    return _ranks(offsets, scores.astype(np.float32)[:, None], types, ones, target_row)


def ndcg(ranks: np.ndarray) -> np.ndarray:
    """Return NDCG@20 with one relevant item for ranks from 1; 0 stands for none, float64 [Q]."""
    hit = (ranks > 0) & (ranks <= CUTOFF)
    return np.where(hit, 1 / np.log2(1.0 + np.where(hit, ranks, 1)), 0.0)


@kernel()
def _ranks(
    offsets: np.ndarray,
    shares: np.ndarray,
    types: np.ndarray,
    weights: np.ndarray,
    target_row: np.ndarray,
) -> np.ndarray:
    ranks = np.zeros(len(target_row), dtype=np.int64)
    n_members = shares.shape[1]
    for query in range(len(target_row)):
        target = target_row[query]
        if target < 0:
            continue
        least = np.float32(0.0)
        for member in range(n_members):
            least += shares[target, member] * weights[types[target], member]
        for row in range(offsets[query], offsets[query + 1]):
            score = np.float32(0.0)
            for member in range(n_members):
                score += shares[row, member] * weights[types[row], member]
            ranks[query] += score >= least
    return ranks
