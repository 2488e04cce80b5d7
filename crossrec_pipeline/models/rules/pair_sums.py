"""Sessions in; for each item the items beside it in its sessions, weighted by distance, out.

Rows are made one after the other from the events of their item: what is held is some dozens of
bytes an event, one block of rows, and what is kept of the rows before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.rounding import round_in_order
from crossrec_pipeline.models.rules.rows import ItemRows

_ENTRIES_PER_BLOCK = 4_000_000
_EQUAL_SHARE = 1e-9
"""Sums within this share of one another are equal but for the rounding of what was summed."""


@dataclass(frozen=True)
class DistanceWeights:
    """What a pair of events of a session counts, by the places between them.

    Attributes
    ----------
    before, after
        Weight of the event 1, 2, … places before or after, above zero; events that are further
        away count nothing; float64 [steps].
    """

    before: np.ndarray
    after: np.ndarray

    @classmethod
    def whole_session(cls, offsets: np.ndarray) -> "DistanceWeights":
        """Count every pair of a session once, in both directions."""
        ones = np.ones(max(int(np.diff(offsets).max(initial=1)) - 1, 0))
        return cls(ones, ones)


@dataclass(frozen=True)
class PairScaling:
    """Factors of the sums: the row's by the item that is given, the other's by the one scored.

    Attributes
    ----------
    given, scored
        Above zero, float64 [n_items].
    """

    given: np.ndarray
    scored: np.ndarray

    @classmethod
    def powers(cls, counts: np.ndarray, given: float, scored: float) -> "PairScaling":
        """Scale by powers of the items' counts; an item without events has no pairs."""
        counts = np.maximum(counts, 1).astype(np.float64)
        return cls(counts**given, counts**scored)


def pair_rows(
    item_index: np.ndarray,
    offsets: np.ndarray,
    weights: DistanceWeights,
    scaling: PairScaling,
    popularity: np.ndarray,
    top: int,
) -> ItemRows:
    """Sum the weights of all pairs of events of a session, by the items of the pair.

    Parameters
    ----------
    item_index, offsets
        Items of the sessions, as in `SessionStore`.
    weights
        What a pair counts.
    scaling
        What sums are multiplied by.
    popularity
        Decides between equal sums, the higher before the lower; int [n_items].
    top
        Entries of a row that are kept: the highest, of equal ones the lower item index.
    """
    item_index, offsets = np.asarray(item_index), np.asarray(offsets)
    events, item_offsets = _events_by_item(item_index, len(popularity))
    session = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    order = np.unique(popularity, return_inverse=True)[1]
    scored = scaling.scored * (1 + _EQUAL_SHARE * order / max(int(order.max(initial=0)), 1))
    most = _most_entries(item_index, offsets, weights, len(popularity))
    lengths, items, scores = [np.zeros(1, np.int64)], [], []
    for first, last in _blocks(most):
        n_most = int(most[first:last].sum())
        block_items = np.empty(n_most, dtype=np.int32)
        block_sums = np.empty(n_most, dtype=np.float64)
        block_lengths = np.zeros(last - first, dtype=np.int64)
        n_kept = _sum_pairs(
            first,
            last,
            events,
            item_offsets,
            session,
            item_index,
            offsets,
            weights.before,
            weights.after,
            scored,
            top,
            block_lengths,
            block_items,
            block_sums,
        )
        row = np.repeat(np.arange(first, last), block_lengths)
        lengths.append(block_lengths)
        items.append(block_items[:n_kept].copy())
        scores.append(round_in_order(block_sums[:n_kept] * scaling.given[row], row))
    return ItemRows(
        np.cumsum(np.concatenate(lengths)),
        np.concatenate([np.zeros(0, np.int32), *items]),
        np.concatenate([np.zeros(0, np.float32), *scores]),
    )


def _events_by_item(item_index: np.ndarray, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of each item's events, int64 [n_events], and where each item's begin."""
    counts = np.bincount(item_index, minlength=n_items)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return np.argsort(item_index, kind="stable"), offsets


def _most_entries(
    item_index: np.ndarray, offsets: np.ndarray, weights: DistanceWeights, n_items: int
) -> np.ndarray:
    """Return how many entries each item's row has at most, int64 [n_items]."""
    lengths = np.diff(offsets)
    n_before = np.arange(len(item_index)) - np.repeat(offsets[:-1], lengths)
    n_after = np.repeat(lengths, lengths) - 1 - n_before
    pairs = np.minimum(n_before, len(weights.before)) + np.minimum(n_after, len(weights.after))
    of_item = np.bincount(item_index, weights=pairs, minlength=n_items).astype(np.int64)
    return np.minimum(of_item, n_items)


def _blocks(most_entries: np.ndarray) -> Iterator[tuple[int, int]]:
    """Cut rows into blocks of a bounded number of entries, or of one row."""
    ends = np.cumsum(most_entries)
    first = 0
    while first < len(ends):
        before = ends[first - 1] if first else 0
        last = int(np.searchsorted(ends, before + _ENTRIES_PER_BLOCK, side="right"))
        last = max(last, first + 1)
        yield first, last
        first = last


@kernel(error_model="numpy")
def _sum_pairs(
    first: int,
    last: int,
    events: np.ndarray,
    item_offsets: np.ndarray,
    session: np.ndarray,
    item_index: np.ndarray,
    offsets: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    factors: np.ndarray,
    top: int,
    lengths: np.ndarray,
    items: np.ndarray,
    sums: np.ndarray,
) -> int:
    """Write the rows from `first` to `last`; return how many entries they have."""
    sum_of = np.zeros(len(factors), dtype=np.float64)
    n_kept = 0
    for row in range(first, last):
        n_met = n_kept
        for at in range(item_offsets[row], item_offsets[row + 1]):
            event = events[at]
            begin = max(offsets[session[event]], event - len(before))
            end = min(offsets[session[event] + 1], event + 1 + len(after))
            for other in range(begin, end):
                if other == event:
                    continue
                item = item_index[other]
                if sum_of[item] == 0.0:
                    items[n_met] = item
                    n_met += 1
                if other < event:
                    sum_of[item] += before[event - other - 1]
                else:
                    sum_of[item] += after[other - event - 1]
        for entry in range(n_kept, n_met):
            sums[entry] = sum_of[items[entry]] * factors[items[entry]]
            sum_of[items[entry]] = 0.0
        if n_met - n_kept > top:
            order = np.argsort(items[n_kept:n_met])
            by_item = items[n_kept:n_met][order]
            sums_by_item = sums[n_kept:n_met][order]
            best = np.sort(np.argsort(-sums_by_item, kind="mergesort")[:top])
            items[n_kept : n_kept + top] = by_item[best]
            sums[n_kept : n_kept + top] = sums_by_item[best]
            n_met = n_kept + top
        lengths[row - first] = n_met - n_kept
        n_kept = n_met
    return n_kept
