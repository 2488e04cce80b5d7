"""Rows of scored items and sessions so far in; lists by the rows of the sessions' items out."""

from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.candidates import Lists, Queries

_LEAST_WEIGHT = 1e-3
"""An item of the session that weighs less than this share of the last one is left out."""


@dataclass(frozen=True)
class ItemRows:
    """What each item says of others (compressed sparse rows).

    Attributes
    ----------
    offsets
        Row `i` is the slice from ``offsets[i]`` to ``offsets[i + 1]``, int64 [n_items + 1].
    items
        Distinct within a row, in any order, int32 [n].
    scores
        Not zero, float32 [n].
    """

    offsets: np.ndarray
    items: np.ndarray
    scores: np.ndarray

    @property
    def n_items(self) -> int:
        """Number of rows."""
        return len(self.offsets) - 1


def session_lists(rows: ItemRows, queries: Queries, decay: float) -> Lists:
    """Sum the rows of each session's distinct items, an item at its last place.

    The row of the last item counts fully, that of the item `k` places before it ``decay ** k``.
    Only sums above zero are listed.

    Parameters
    ----------
    rows
        Scores of items, by item.
    queries
        Sessions so far.
    decay
        From 0 (the last item alone) to 1 (all items alike).
    """
    weights = _place_weights(queries, decay)
    n_most = _most_entries(
        rows.offsets, queries.item_index, queries.begins, queries.ends, len(weights)
    )
    # Pages of an array that are never written to take no memory.
    items, scores = np.empty(n_most, dtype=np.int32), np.empty(n_most, dtype=np.float32)
    offsets = np.zeros(len(queries) + 1, dtype=np.int64)
    _sum_rows(
        rows.offsets,
        rows.items,
        rows.scores,
        queries.item_index,
        queries.begins,
        queries.ends,
        weights,
        offsets,
        items,
        scores,
    )
    return Lists(offsets, items[: offsets[-1]], scores[: offsets[-1]])


def _place_weights(queries: Queries, decay: float) -> np.ndarray:
    """Return the weight of the last place, of the one before it, …; float64."""
    longest = int((queries.ends - queries.begins).max(initial=1))
    weights = np.power(decay, np.arange(longest), dtype=np.float64)
    return weights[weights >= _LEAST_WEIGHT]


@kernel()
def _most_entries(
    row_offsets: np.ndarray,
    item_index: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    n_places: int,
) -> int:
    """Return how many entries all lists have together at most."""
    n_items = len(row_offsets) - 1
    total = 0
    for query in range(len(begins)):
        entries = 0
        for event in range(max(begins[query], ends[query] - n_places), ends[query]):
            item = item_index[event]
            entries += row_offsets[item + 1] - row_offsets[item]
        total += entries if entries < n_items else n_items
    return int(total)


@kernel()
def _sum_rows(
    row_offsets: np.ndarray,
    row_items: np.ndarray,
    row_scores: np.ndarray,
    item_index: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    items: np.ndarray,
    scores: np.ndarray,
) -> None:
    n_items = len(row_offsets) - 1
    sums = np.zeros(n_items, dtype=np.float64)
    met_in = np.full(n_items, -1, dtype=np.int64)
    listed_in = np.full(n_items, -1, dtype=np.int64)
    n_kept = 0
    for query in range(len(begins)):
        n_listed = n_kept
        for place in range(min(len(weights), ends[query] - begins[query])):
            item = item_index[ends[query] - 1 - place]
            if met_in[item] == query:
                continue
            met_in[item] = query
            for entry in range(row_offsets[item], row_offsets[item + 1]):
                other = row_items[entry]
                if listed_in[other] != query:
                    listed_in[other] = query
                    sums[other] = 0.0
                    items[n_listed] = other
                    n_listed += 1
                sums[other] += weights[place] * row_scores[entry]
        for entry in range(n_kept, n_listed):
            score = np.float32(sums[items[entry]])
            if score > 0:
                items[n_kept] = items[entry]
                scores[n_kept] = score
                n_kept += 1
        offsets[query + 1] = n_kept
