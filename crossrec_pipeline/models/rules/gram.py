"""Sessions in; how many have both of two items, for all pairs (a Gram matrix), out."""

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.sessions.store import SessionStore


def session_gram(store: SessionStore, n_items: int) -> np.ndarray:
    """Count the sessions that have both of two items, whatever else occurs twice in them.

    Returns
    -------
    float32 [n_items, n_items]
        In Fortran's order. On the diagonal the sessions of each item; above it zeros, since the
        matrix is symmetric. Counts are exact up to 2 ** 24.
    """
    gram = np.zeros((n_items, n_items), dtype=np.float32, order="F")
    _count_pairs(np.asarray(store.item_index), np.asarray(store.offsets), gram.T)
    return gram


@kernel()
def _count_pairs(item_index: np.ndarray, offsets: np.ndarray, upper: np.ndarray) -> None:
    """Count into the upper triangle of a matrix in C's order."""
    met_in = np.full(len(upper), -1, dtype=np.int64)
    distinct = np.empty(len(upper), dtype=np.int64)
    for session in range(len(offsets) - 1):
        n_distinct = 0
        for event in range(offsets[session], offsets[session + 1]):
            item = item_index[event]
            if met_in[item] == session:
                continue
            met_in[item] = session
            distinct[n_distinct] = item
            n_distinct += 1
            for k in range(n_distinct):
                upper[min(item, distinct[k]), max(item, distinct[k])] += 1
