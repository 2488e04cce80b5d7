"""Embeddings of items in; how much more alike two items are than others of their types out."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import polars as pl


class ItemVectors(Protocol):
    """Embeddings that can be looked up."""

    def rows(self, item_ids: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return vectors of length 1, float32 [M, D], and which of the ids have one, bool [M]."""
        ...


def likeness(items: pl.DataFrame, pairs: pl.DataFrame, vectors: ItemVectors) -> np.ndarray:
    """Compare embeddings of pairs: by how many standard deviations they are more alike than usual.

    What an encoder calls alike differs from one to the next: 0.7 is much for one, little for
    another. So the cosine of a pair is set beside those of all items of its two types. Their mean
    and variance need no pairs: they follow from the mean and the second moment of each type.

    Parameters
    ----------
    items
        Columns `item_id` and `item_type`.
    pairs
        Columns of `blocking.PAIRS`: rows of the items.
    vectors
        Embeddings of some or all of them.

    Returns
    -------
    float64 [n]
        NaN where an item has no embedding.
    """
    known, found = vectors.rows(items["item_id"])
    table = np.asarray(known, dtype=np.float64)
    found = np.asarray(found, dtype=bool) & (np.abs(table).sum(axis=1) > 0)
    types = items["item_type"].to_numpy()
    means, moments = {}, {}
    for item_type in np.unique(types[found]) if found.any() else ():
        of_type = table[found & (types == item_type)]
        means[item_type] = of_type.mean(axis=0)
        moments[item_type] = of_type.T @ of_type / len(of_type)
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    alike = np.full(len(left), np.nan)
    both = found[left] & found[right]
    for a in means:
        for b in means:
            chosen = both & (types[left] == a) & (types[right] == b)
            if not chosen.any():
                continue
            cosine = np.einsum("nd,nd->n", table[left[chosen]], table[right[chosen]])
            mean = means[a] @ means[b]
            variance = np.sum(moments[a] * moments[b]) - mean**2
            alike[chosen] = (cosine - mean) / np.sqrt(max(variance, 1e-9))
    return alike
