"""From sessions so far and an index of train to the items of the nearest train sessions, scored.

All kinds of session neighbours are one computation with different weights. An item of the session
so far stands where it occurred last. A train session `n` that shares items `x` is similar to it by

    similarity(n) = session_weight(n) · Σ similarity_weight(x)

and an item `i` scores, over those of the `k` most similar sessions that hold it,

    score(i) = item_weight(i) · Σ similarity(n) · score_weight(y) · distance_weight(d)

where `y` is the most recent item of the session so far that `n` shares, and `d` is how far apart in
`n` are `i` and the last item in `n` that is shared.
"""

from typing import NamedTuple

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.neighbours.index import SessionIndex
from crossrec_pipeline.models.neighbours.recent_sessions import Candidates, Merge, most_recent
from crossrec_pipeline.models.neighbours.weights import EventWeights, TrainWeights

_LEAST = np.float32(np.finfo(np.float32).tiny)


class _Scores(NamedTuple):
    """Scores of the items that one query lists.

    Attributes
    ----------
    score
        By item, float64 [n_items]; that of a listed one is this query's.
    listed_by, asked_by
        By item, the query that listed it last, or had it in its session, int32 [n_items].
    listed
        The items that are listed, int32 [n_items].
    """

    score: np.ndarray
    listed_by: np.ndarray
    asked_by: np.ndarray
    listed: np.ndarray


@kernel(error_model="numpy")
def list_neighbours_items(
    index: SessionIndex,
    train_weights: TrainWeights,
    events: np.ndarray,
    offsets: np.ndarray,
    event_weights: EventWeights,
    k: int,
    sample: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the items of each session's neighbours.

    Parameters
    ----------
    index
        Train, with as many postings of an item as `sample`, or all.
    train_weights, event_weights
        See there.
    events
        Items of the sessions so far, session after session, int32 [E].
    offsets
        Session `q` is ``events[offsets[q]:offsets[q + 1]]``, int64 [Q + 1].
    k
        Neighbours of a session, at most; the more recent ones of equally similar ones.
    sample
        Train sessions among which they are sought: the most recent ones that share an item.

    Returns
    -------
    offsets, items, scores
        As in `Lists`. Scores are divided by the greatest of their list, so 0 < score ≤ 1.
    """
    n_queries, n_items = len(offsets) - 1, len(index.session_counts)
    longest = 0
    for query in range(n_queries):
        longest = max(longest, offsets[query + 1] - offsets[query])
    merge = Merge(
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
    )
    n_candidates = min(sample, len(index.session_offsets) - 1)
    candidates = Candidates(
        np.empty(n_candidates, np.int64),
        np.empty(n_candidates, np.float64),
        np.empty(n_candidates, np.int64),
    )
    scores = _Scores(
        np.empty(n_items, np.float64),
        np.full(n_items, -1, np.int32),
        np.full(n_items, -1, np.int32),
        np.empty(n_items, np.int32),
    )
    list_offsets = np.zeros(n_queries + 1, np.int64)
    all_items = np.empty(64 * n_queries, np.int32)
    all_scores = np.empty(64 * n_queries, np.float32)
    for query in range(n_queries):
        n_found = most_recent(
            index,
            events,
            offsets[query],
            offsets[query + 1],
            event_weights.similarity,
            query,
            scores.asked_by,
            merge,
            candidates,
        )
        for candidate in range(n_found):
            session = candidates.session[candidate]
            candidates.similarity[candidate] *= train_weights.session[session]
        n_nearest = _keep_nearest(candidates, n_found, k)
        n_listed = _score_items(
            index, train_weights, event_weights.score, candidates, n_nearest, query, scores
        )
        begin = list_offsets[query]
        end = begin + n_listed
        list_offsets[query + 1] = end
        if end > len(all_items):
            all_items = _with_room(all_items, begin, end)
            all_scores = _with_room(all_scores, begin, end)
        all_items[begin:end] = scores.listed[:n_listed]
        _write_shares_of_greatest(scores, n_listed, all_scores[begin:end])
    n_all = list_offsets[n_queries]
    return list_offsets, all_items[:n_all].copy(), all_scores[:n_all].copy()


@kernel(error_model="numpy")
def _keep_nearest(candidates: Candidates, n_found: int, k: int) -> int:
    """Move the `k` most similar candidates to the front, in their order; return how many."""
    if n_found <= k:
        return n_found
    similarity = candidates.similarity
    least = _kth_greatest(similarity[:n_found], k)
    n_as_least = k
    for candidate in range(n_found):
        n_as_least -= similarity[candidate] > least
    n_kept = 0
    for candidate in range(n_found):
        if similarity[candidate] < least:
            continue
        if similarity[candidate] == least:
            if n_as_least == 0:
                continue
            n_as_least -= 1
        candidates.session[n_kept] = candidates.session[candidate]
        similarity[n_kept] = similarity[candidate]
        candidates.shared_event[n_kept] = candidates.shared_event[candidate]
        n_kept += 1
    return n_kept


@kernel(error_model="numpy")
def _kth_greatest(values: np.ndarray, k: int) -> float:
    """Select by partitions (Hoare, "Find", 1961); numpy's takes seconds to compile."""
    values = values.copy()
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if k - 1 <= right:
            high = right
        elif k - 1 >= left:
            low = left
        else:
            break
    return values[k - 1]


@kernel(error_model="numpy")
def _score_items(
    index: SessionIndex,
    train_weights: TrainWeights,
    score_weights: np.ndarray,
    candidates: Candidates,
    n_nearest: int,
    query: int,
    scores: _Scores,
) -> int:
    """Score the items of the nearest sessions; return how many there are."""
    n_listed = 0
    for candidate in range(n_nearest):
        vote = candidates.similarity[candidate] * score_weights[candidates.shared_event[candidate]]
        if vote == 0.0:
            continue
        session = candidates.session[candidate]
        begin, end = index.session_offsets[session], index.session_offsets[session + 1]
        shared = end - 1
        while scores.asked_by[index.items[shared]] != query:
            shared -= 1
        for row in range(begin, end):
            item = index.items[row]
            if scores.listed_by[item] != query:
                scores.listed_by[item] = query
                scores.listed[n_listed] = item
                scores.score[item] = 0.0
                n_listed += 1
            distance = abs(index.positions[row] - index.positions[shared])
            scores.score[item] += vote * train_weights.distance[distance]
    for row in range(n_listed):
        item = scores.listed[row]
        scores.score[item] *= train_weights.item[item]
    return n_listed


@kernel(error_model="numpy")
def _write_shares_of_greatest(scores: _Scores, n_listed: int, shares: np.ndarray) -> None:
    """Divide by the greatest score; what is too little for 32 bits becomes their least."""
    greatest = 0.0
    for row in range(n_listed):
        greatest = max(greatest, scores.score[scores.listed[row]])
    for row in range(n_listed):
        score = scores.score[scores.listed[row]]
        share = score / greatest if greatest > 0.0 else 0.0
        shares[row] = max(np.float32(share), _LEAST)


@kernel(error_model="numpy")
def _with_room(values: np.ndarray, n_written: int, n_needed: int) -> np.ndarray:
    larger = np.empty(max(n_needed, 2 * len(values)), values.dtype)
    larger[:n_written] = values[:n_written]
    return larger
