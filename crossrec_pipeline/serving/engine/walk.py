"""Panels of items and queries in; each query's best items out, exact and in order (compiled).

Products with panels tell for certain that nearly all items score lower than the k-th best found so
far. Only those within the margin of error are scored again, by `exact_score`: the answer does not
depend on the kind of panels, the other queries, or the machine.
"""

import numpy as np
from numba import njit

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.inner_product.exact import exact_score
from crossrec_pipeline.models.inner_product.tiles import MOST_QUERIES, PANEL, tile_1, tile_2, tile_4

_LEAST = np.float32(-np.inf)
_CAPACITY = 1024


# Without any fast mathematics, which what is called here would take over: exact scores must not.
@kernel(error_model="numpy")
def walk(
    cells: np.ndarray,
    scale: np.ndarray,
    size: np.ndarray,
    bias: np.ndarray,
    items: np.ndarray,
    type_of: np.ndarray,
    longest: np.ndarray,
    highest_bias: np.ndarray,
    ranges: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    row_scale: np.ndarray,
    margin: np.ndarray,
    norm: np.ndarray,
    slack: float,
    is_allowed: np.ndarray,
    excluded: np.ndarray,
    excluded_ends: np.ndarray,
    k: np.ndarray,
    hidden: np.ndarray,
    weight: np.ndarray,
    item_bias: np.ndarray,
    best_items: np.ndarray,
    best_scores: np.ndarray,
    n_best: np.ndarray,
) -> int:
    """Find the best items of some queries.

    Parameters
    ----------
    cells, scale, size
        As in `Panels`.
    bias
        float32 [n × PANEL].
    items, type_of
        Item of each place in the panels, or -1, and its type, int32 and int8 [n × PANEL].
    longest, highest_bias
        Greatest norm and bias of each panel, float32 [n].
    ranges
        First panel and the one after the last of each stretch to walk through, int64 [R, 2].
    rows, starts, row_scale, margin
        As in `QueryOperand`.
    norm
        Of each hidden state, float32 [Q].
    slack
        How far a score may be off because of its bias.
    is_allowed
        Types that may be recommended, bool [n_types].
    excluded, excluded_ends
        Items that query q may not be recommended, rising, are those before ``excluded_ends[q]``
        and from ``excluded_ends[q - 1]`` on, int32 [E] and int64 [Q].
    k
        How many items each query wants, at least 1, int64 [Q].
    hidden, weight, item_bias
        What scores are made of, float32 [Q, H], [n_items, H] and [n_items].
    best_items, best_scores, n_best
        Receive the items, best first and equal ones by index, int32 and float32 [Q, max k], and
        how many there are, int64 [Q].

    Returns
    -------
    int
        How many items were scored exactly.
    """
    n_queries = len(hidden)
    most = k.max()
    heaps = np.empty((n_queries, most), dtype=np.float32)
    n_heap = np.zeros(n_queries, dtype=np.int64)
    threshold = np.full(n_queries, _LEAST)
    capacity = max(_CAPACITY, 4 * most)
    places = np.empty((n_queries, capacity), dtype=np.int32)
    uppers = np.empty((n_queries, capacity), dtype=np.float32)
    n_found = np.zeros(n_queries, dtype=np.int64)
    products = np.empty((MOST_QUERIES, PANEL), dtype=np.float32)
    upper = np.empty(PANEL, dtype=np.float32)
    for stretch in range(len(ranges)):
        for panel in range(ranges[stretch, 0], ranges[stretch, 1]):
            first_place = panel * PANEL
            panel_scale = scale[first_place : first_place + PANEL]
            panel_size = size[first_place : first_place + PANEL]
            panel_bias = bias[first_place : first_place + PANEL]
            for first in range(0, n_queries, MOST_QUERIES):
                n_here = min(MOST_QUERIES, n_queries - first)
                reaches = False
                for query in range(first, first + n_here):
                    reaches |= (
                        norm[query] * longest[panel] + highest_bias[panel] >= threshold[query]
                    )
                if not reaches:
                    continue
                if n_here > 2:
                    tile_4(cells, panel, rows, starts, first, products)
                elif n_here == 2:
                    tile_2(cells, panel, rows, starts, first, products)
                else:
                    tile_1(cells, panel, rows, starts, first, products)
                for query in range(first, first + n_here):
                    product = products[query - first]
                    factor, off, least = row_scale[query], margin[query], threshold[query]
                    n_hits = 0
                    for lane in range(PANEL):
                        value = (
                            product[lane] * factor * panel_scale[lane]
                            + off * panel_size[lane]
                            + panel_bias[lane]
                        )
                        upper[lane] = value
                        n_hits += value >= least
                    if n_hits == 0:
                        continue
                    for lane in range(PANEL):
                        if upper[lane] < threshold[query]:
                            continue
                        place = first_place + lane
                        if items[place] < 0 or not is_allowed[type_of[place]]:
                            continue
                        begin = excluded_ends[query - 1] if query else 0
                        if _holds(excluded, begin, excluded_ends[query], items[place]):
                            continue
                        if n_found[query] == capacity:
                            n_found[query] = _keep(places[query], uppers[query], threshold[query])
                            if n_found[query] > capacity // 2:
                                places, uppers = _twice(places), _twice(uppers)
                                capacity *= 2
                        places[query, n_found[query]] = place
                        uppers[query, n_found[query]] = upper[lane]
                        n_found[query] += 1
                        lower = upper[lane] - np.float32(2.0) * off * panel_size[lane]
                        if n_heap[query] < k[query]:
                            _push(heaps[query], n_heap[query], lower)
                            n_heap[query] += 1
                        elif lower > heaps[query, 0]:
                            _replace(heaps[query], n_heap[query], lower)
                        else:
                            continue
                        if n_heap[query] == k[query]:
                            threshold[query] = _below(heaps[query, 0], slack)
    n_rescored = 0
    for query in range(n_queries):
        n = 0
        for found in range(n_found[query]):
            if uppers[query, found] < threshold[query]:
                continue
            item = int(items[places[query, found]])
            score = exact_score(hidden, query, weight, item_bias, item)
            n_rescored += 1
            n = _insert(best_items[query], best_scores[query], n, k[query], item, score)
        n_best[query] = n
    return n_rescored


@njit
def _below(value: np.float32, slack: float) -> np.float32:
    """Return what an item's upper bound must reach."""
    # What is computed in float32 has errors of its own, whatever is subtracted from it.
    return np.float32(value - 2.0 * slack - 1e-6 * abs(value))


@njit
def _holds(values: np.ndarray, begin: int, end: int, value: int) -> bool:
    """Say whether rising values hold one."""
    while begin < end:
        middle = (begin + end) // 2
        if values[middle] == value:
            return True
        if values[middle] < value:
            begin = middle + 1
        else:
            end = middle
    return False


@njit
def _keep(places: np.ndarray, uppers: np.ndarray, threshold: np.float32) -> int:
    """Keep what still reaches the threshold; return how many do."""
    n = 0
    for found in range(len(places)):
        if uppers[found] >= threshold:
            places[n], uppers[n] = places[found], uppers[found]
            n += 1
    return n


@njit
def _twice(table: np.ndarray) -> np.ndarray:
    wider = np.empty((table.shape[0], 2 * table.shape[1]), dtype=table.dtype)
    wider[:, : table.shape[1]] = table
    return wider


@njit
def _push(heap: np.ndarray, n: int, value: np.float32) -> None:
    """Add a value to a heap of `n`, the least on top."""
    at = n
    while at and heap[(at - 1) // 2] > value:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = value


@njit
def _replace(heap: np.ndarray, n: int, value: np.float32) -> None:
    """Put a value in the place of the least of a heap of `n`."""
    at = 0
    while 2 * at + 1 < n:
        child = 2 * at + 1
        if child + 1 < n and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value


@njit
def _insert(
    items: np.ndarray, scores: np.ndarray, n: int, k: int, item: int, score: np.float32
) -> int:
    """Put an item in its place among the best, the last falling out; return how many there are."""
    at = n
    while at and (scores[at - 1] < score or (scores[at - 1] == score and items[at - 1] > item)):
        if at < k:
            items[at], scores[at] = items[at - 1], scores[at - 1]
        at -= 1
    if at < k:
        items[at], scores[at] = item, score
        n = min(n + 1, k)
    return n
