"""Vectors in; for each, the nearest others by cosine, exactly, and of each type, out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.content.neighbour_kernels import keep_largest

NOBODY = -1
"""In place of a neighbour that is not there."""

_QUERIES, _ITEMS = 512, 4096
"""Rows and columns of the cosines that are looked at while they are in the processor's cache."""


def nearest(
    queries: np.ndarray, vectors: np.ndarray, k: int, own_rows: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the vectors of largest cosine, by looking at all; of equal ones, those that come first.

    Parameters
    ----------
    queries
        float32 [Q, D], of length 1 or zero.
    vectors
        float32 [N, D], of length 1 or zero.
    k
        How many.
    own_rows
        Row of each query among the vectors, which is no neighbour of it, int64 [Q]; `NOBODY` where
        it is none of them. None: none of them is.

    Returns
    -------
    rows, cosines
        Best first, int64 [Q, k] and float32 [Q, k]; `NOBODY` and 0 where there are fewer. Zero
        vectors are near nothing, and nothing is near them.
    """
    rows = np.full((len(queries), k), NOBODY, dtype=np.int64)
    cosines = np.zeros((len(queries), k), dtype=np.float32)
    filled = np.flatnonzero(vectors.any(axis=1))
    asking = np.flatnonzero(queries.any(axis=1))
    if k < 1 or not len(filled):
        return rows, cosines
    items = vectors if len(filled) == len(vectors) else vectors[filled]
    hidden = np.full(len(queries), NOBODY, dtype=np.int64)
    if own_rows is not None:
        # The last place is that of NOBODY.
        places = np.full(len(vectors) + 1, NOBODY, dtype=np.int64)
        places[filled] = np.arange(len(filled))
        hidden = places[own_rows]
    for begin in range(0, len(asking), _QUERIES):
        these = asking[begin : begin + _QUERIES]
        block = queries[these]
        found = np.full((len(these), k), NOBODY, dtype=np.int64)
        largest = np.full((len(these), k), -np.inf, dtype=np.float32)
        for first in range(0, len(items), _ITEMS):
            scores = block @ items[first : first + _ITEMS].T
            keep_largest(scores, first, hidden[these], found, largest)
        is_there = found != NOBODY
        rows[these] = np.where(is_there, filled[found], NOBODY)
        cosines[these] = np.where(is_there, largest, 0.0)
    return rows, cosines


@dataclass(frozen=True)
class NeighboursByType:
    """The nearest items of each type.

    Attributes
    ----------
    types
        Item types, sorted.
    rows
        Of the neighbours among the items, by query, type and place, int64 [Q, T, k]; `NOBODY` where
        there are fewer.
    cosines
        float32 [Q, T, k].
    """

    types: list[str]
    rows: np.ndarray
    cosines: np.ndarray


def nearest_by_type(
    vectors: np.ndarray,
    item_types: Sequence[str],
    k: int,
    of_rows: np.ndarray | None = None,
) -> NeighboursByType:
    """Find the nearest items of each type, an item's own type included, and itself not.

    Parameters
    ----------
    vectors
        float32 [N, D], of length 1 or zero.
    item_types
        Of the items, N.
    k
        How many of each type.
    of_rows
        Items whose neighbours are wanted, int64 [Q]; None: of all.
    """
    asking = np.arange(len(vectors)) if of_rows is None else np.asarray(of_rows)
    types = sorted(set(item_types))
    code_of = {item_type: code for code, item_type in enumerate(types)}
    codes = np.array([code_of[item_type] for item_type in item_types], dtype=np.int64)
    rows = np.full((len(asking), len(types), k), NOBODY, dtype=np.int64)
    cosines = np.zeros((len(asking), len(types), k), dtype=np.float32)
    for code in range(len(types)):
        members = np.flatnonzero(codes == code)
        place = np.full(len(vectors), NOBODY, dtype=np.int64)
        place[members] = np.arange(len(members))
        found, cosines[:, code] = nearest(vectors[asking], vectors[members], k, place[asking])
        rows[:, code] = np.where(found == NOBODY, NOBODY, members[found])
    return NeighboursByType(types, rows, cosines)
