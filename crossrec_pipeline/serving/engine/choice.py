"""Ways to search in; the fastest that finds nearly all of the best items out, with its figures."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from crossrec_pipeline.models.gru4rec.session_states import SessionStates
from crossrec_pipeline.models.inner_product.tiles import has_byte_products
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.cluster_search import ClusterSearch
from crossrec_pipeline.serving.engine.item_table import ItemTable
from crossrec_pipeline.serving.engine.search import Found, ItemSearch, WholeSearch

LEAST_RECALL = 0.99
"""Share of the exact top 20 that must be found."""
ALONE_MS = 5.0
"""Longest that one query alone may take, where any way is as quick: it leaves a service at rest
time for the rest of an answer within 7 ms."""
_TOP_K = 20
_BATCHES = (1, 8)
_ROUNDS = 5
_LONGEST_SESSION = 20
_SEED = 20_230_302


def sampled_states(states: SessionStates, support: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return hidden states of sessions of 1 to 20 items drawn by support, float32 [n, H]."""
    generator = np.random.default_rng(seed)
    shares = np.maximum(support, 1e-9)  # of none, all are equally likely
    items = generator.choice(len(support), (n, _LONGEST_SESSION), p=shares / shares.sum())
    lengths = generator.integers(1, _LONGEST_SESSION + 1, n)
    sessions = [row[:length].astype(np.int32) for row, length in zip(items, lengths, strict=True)]
    return states.last_hidden(sessions)


def enough_items(table: ItemTable, hidden: np.ndarray) -> tuple[int, float]:
    """Find how many items a `ClusterSearch` must look at, in steps of a quarter more each.

    Parameters
    ----------
    table
        Of the items.
    hidden
        What to try it with, float32 [n, H]: the first half decides, the second half confirms.

    Returns
    -------
    n_seen, recall
        All items if fewer are not enough; recall of the second half.
    """
    n_items, half = len(table.item_bias), len(hidden) // 2
    wanted = WholeSearch(table, "bytes").best(hidden, _queries(len(hidden)))
    n_seen = max(_TOP_K * 10, n_items // 200)
    while n_seen < n_items:
        search = ClusterSearch(table, "bytes", n_seen)
        if recall(search, hidden[:half], wanted[:half]) >= LEAST_RECALL:
            found = recall(search, hidden[half:], wanted[half:])
            if found >= LEAST_RECALL:
                return n_seen, found
        n_seen = n_seen * 5 // 4
    return n_items, 1.0


def recall(search: ItemSearch, hidden: np.ndarray, wanted: Sequence[Found]) -> float:
    """Return the share of the exact top 20 that is found, in the mean over states."""
    pairs = zip(search.best(hidden, _queries(len(hidden))), wanted, strict=True)
    return float(np.mean([np.isin(best[0], found[0]).mean() for found, best in pairs]))


def fastest_search(
    table: ItemTable, states: SessionStates, support: np.ndarray
) -> tuple[ItemSearch, dict[str, Any]]:
    """Choose by measured time, among those of enough recall.

    Time is that of the thread, and each way's is taken in turn: other processes disturb all alike.

    Returns
    -------
    search, notes
        The notes are ``recall`` and, for queries one by one and eight together, milliseconds of
        processor time a query.
    """
    hidden = sampled_states(states, support, max(_BATCHES) * _ROUNDS, _SEED)
    # Bytes are a quarter to read: floats can win only where bytes have no instruction.
    kinds = ["bytes"] if has_byte_products() else ["bytes", "floats"]
    recalls: dict[ItemSearch, float] = {WholeSearch(table, kind): 1.0 for kind in kinds}
    if table.n_seen < len(table.item_bias):
        recalls |= {ClusterSearch(table, kind, table.n_seen): table.recall for kind in kinds}
    times = _milliseconds(list(recalls), hidden)
    # How many queries a core can answer is decided by batches, once one alone is in time.
    in_time = [search for search in recalls if times[search][0] <= ALONE_MS]
    in_time = in_time or [min(recalls, key=lambda search: times[search][0])]
    best = min(in_time, key=lambda search: times[search][-1])
    of_batches = {
        f"ms_at_batch_{n}": round(ms, 3) for n, ms in zip(_BATCHES, times[best], strict=True)
    }
    return best, {"recall": round(recalls[best], 4), **of_batches}


def _milliseconds(
    searches: Sequence[ItemSearch], hidden: np.ndarray
) -> dict[ItemSearch, list[float]]:
    """Time a query in each size of batch, medians of some rounds."""
    taken: dict[ItemSearch, list[list[float]]] = {
        search: [[] for _ in _BATCHES] for search in searches
    }
    for search in searches:  # the first call reads files, or compiles
        search.best(hidden[: max(_BATCHES)], _queries(max(_BATCHES)))
    for turn in range(_ROUNDS):
        for number, size in enumerate(_BATCHES):
            rows = hidden[turn * size : (turn + 1) * size]
            for search in searches:
                begin = time.thread_time()
                search.best(rows, _queries(size))
                taken[search][number].append((time.thread_time() - begin) / size)
    return {
        search: [1000 * float(np.median(of_size)) for of_size in of_search]
        for search, of_search in taken.items()
    }


def _queries(n: int) -> list[Query]:
    return [Query(np.zeros(1, dtype=np.int32), _TOP_K)] * n
