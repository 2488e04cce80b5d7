"""Candidates in; the best of each query out."""

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.hybrid.union import Candidates


def best_rows(offsets: np.ndarray, scores: np.ndarray, n_best: int) -> np.ndarray:
    """Return the rows of each query's `n_best` highest scores, best first, int64."""
    n_rows = np.minimum(np.diff(offsets), n_best).sum()
    return _best_rows(offsets, scores, n_best, np.empty(n_rows, dtype=np.int64))


def only(candidates: Candidates, rows: np.ndarray) -> Candidates:
    """Return some rows, given query after query."""
    query = np.searchsorted(candidates.offsets, rows, side="right") - 1
    counts = np.bincount(query, minlength=candidates.n_queries)
    return Candidates(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        candidates.items[rows],
        candidates.shares[rows],
        candidates.ranks[rows],
    )


@kernel()
def _best_rows(
    offsets: np.ndarray, scores: np.ndarray, n_best: int, rows: np.ndarray
) -> np.ndarray:
    n = 0
    for query in range(len(offsets) - 1):
        begin, end = offsets[query], offsets[query + 1]
        order = np.argsort(-scores[begin:end], kind="mergesort")
        for place in range(min(n_best, end - begin)):
            rows[n] = begin + order[place]
            n += 1
    return rows
