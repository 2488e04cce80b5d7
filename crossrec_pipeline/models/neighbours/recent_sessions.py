"""From a session so far to the most recent train sessions that share an item, and how similar.

The postings of the session's items are merged from the most recent train session on, and no further
than there are enough: a query costs what it takes, not what the popular items have in store.
"""

from typing import NamedTuple

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.neighbours.index import SessionIndex

_LIST_BITS = 32
_LAST_LIST = (1 << _LIST_BITS) - 1


class Merge(NamedTuple):
    """Postings being merged, a list for each distinct item of a session so far.

    List 0 is that of the most recent item. These arrays are scratch, for one query after another.

    Attributes
    ----------
    event
        The last event of the list's item, int64 [longest].
    following
        Its posting after the one whose key is in the heap, int64 [longest].
    end
        End of its postings, int64 [longest].
    heap
        Keys, each not below those at twice its place plus one and two, int64 [longest]. A key is of
        a train session and a list: the greatest is that of the most recent session, and of equal
        sessions that of the most recent item.
    """

    event: np.ndarray
    following: np.ndarray
    end: np.ndarray
    heap: np.ndarray


class Candidates(NamedTuple):
    """Train sessions that share an item, the most recent first; scratch, like `Merge`.

    Attributes
    ----------
    session
        Their numbers, int64 [sample].
    similarity
        Sum of the weights of the items they share, float64 [sample].
    shared_event
        The most recent event of the session so far whose item they share, int64 [sample].
    """

    session: np.ndarray
    similarity: np.ndarray
    shared_event: np.ndarray


@kernel(error_model="numpy")
def most_recent(
    index: SessionIndex,
    events: np.ndarray,
    begin: int,
    end: int,
    similarity_weights: np.ndarray,
    query: int,
    asked_by: np.ndarray,
    merge: Merge,
    candidates: Candidates,
) -> int:
    """Find the most recent train sessions that share an item with ``events[begin:end]``.

    Parameters
    ----------
    index
        Train.
    events, similarity_weights
        Items, int32 [E], and what each adds to the similarity, float64 [E]. An item that occurs
        again counts at its last event.
    begin, end
        The session so far.
    query
        A number that no earlier session of these arrays had.
    asked_by
        By item, the query that had it last, int32 [n_items]; this one afterwards.
    merge, candidates
        Scratch, and what was found.

    Returns
    -------
    int
        How many were found.
    """
    size = _begin_merge(index, events, begin, end, query, asked_by, merge)
    heap, sample = merge.heap, len(candidates.session)
    n, session = 0, -1
    while size > 0:
        place = _LAST_LIST - (heap[0] & _LAST_LIST)
        if heap[0] >> _LIST_BITS != session:
            if n == sample:
                break
            session = heap[0] >> _LIST_BITS
            candidates.session[n] = session
            candidates.similarity[n] = 0.0
            candidates.shared_event[n] = merge.event[place]
            n += 1
        candidates.similarity[n - 1] += similarity_weights[merge.event[place]]
        posting = merge.following[place]
        if posting < merge.end[place]:
            heap[0] = _key(int(index.posting_sessions[posting]), place)
            merge.following[place] = posting + 1
        else:
            size -= 1
            heap[0] = heap[size]
        _sink(heap, size, 0)
    return n


@kernel(error_model="numpy")
def _begin_merge(
    index: SessionIndex,
    events: np.ndarray,
    begin: int,
    end: int,
    query: int,
    asked_by: np.ndarray,
    merge: Merge,
) -> int:
    """Open the lists of a session's items and make the heap; return how many there are."""
    n_lists = 0
    for event in range(end - 1, begin - 1, -1):
        item = events[event]
        if asked_by[item] == query:
            continue
        asked_by[item] = query
        posting = index.posting_offsets[item]
        if posting < index.posting_offsets[item + 1]:
            merge.event[n_lists] = event
            merge.following[n_lists] = posting + 1
            merge.end[n_lists] = index.posting_offsets[item + 1]
            merge.heap[n_lists] = _key(int(index.posting_sessions[posting]), n_lists)
            n_lists += 1
    for place in range(n_lists // 2 - 1, -1, -1):
        _sink(merge.heap, n_lists, place)
    return n_lists


@kernel(error_model="numpy")
def _key(session: int, place: int) -> int:
    return (session << _LIST_BITS) | (_LAST_LIST - place)


@kernel(error_model="numpy")
def _sink(heap: np.ndarray, size: int, place: int) -> None:
    """Move a key down to where no greater one is below it."""
    key = heap[place]
    below = 2 * place + 1
    while below < size:
        if below + 1 < size and heap[below + 1] > heap[below]:
            below += 1
        if heap[below] <= key:
            break
        heap[place] = heap[below]
        place = below
        below = 2 * place + 1
    heap[place] = key
