"""Vectors in; which of many clusters each belongs to out."""

import numpy as np
from threadpoolctl import threadpool_limits

_SAMPLED_PER_CLUSTER = 50
_ROUNDS = 8
_ROWS_AT_ONCE = 1 << 14


def cluster(vectors: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Put like vectors together by k-means (Lloyd 1982), learnt on a sample.

    Parameters
    ----------
    vectors
        float32 [n, D].
    n_clusters
        At most n.
    seed
        Of the sample and of where the means begin.

    Returns
    -------
    int64 [n]
        Number of each vector's cluster; some may be empty.
    """
    generator = np.random.default_rng(seed)
    n_sampled = min(len(vectors), _SAMPLED_PER_CLUSTER * n_clusters)
    sample = vectors[generator.choice(len(vectors), n_sampled, replace=False)]
    means = sample[:n_clusters].copy()
    with threadpool_limits(1):
        for _ in range(_ROUNDS):
            nearest = _nearest(sample, means)
            n_members = np.bincount(nearest, minlength=n_clusters)
            members = np.split(np.argsort(nearest, kind="stable"), np.cumsum(n_members)[:-1])
            for number, rows in enumerate(members):
                if len(rows):
                    means[number] = sample[rows].mean(axis=0)
        return _nearest(vectors, means)


def _nearest(vectors: np.ndarray, means: np.ndarray) -> np.ndarray:
    half_squares = (means**2).sum(axis=1) / 2
    nearest = np.empty(len(vectors), dtype=np.int64)
    for begin in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = slice(begin, begin + _ROWS_AT_ONCE)
        nearest[rows] = (vectors[rows] @ means.T - half_squares).argmax(axis=1)
    return nearest
