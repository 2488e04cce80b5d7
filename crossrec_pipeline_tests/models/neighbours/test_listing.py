from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.models.neighbours.index import build_index
from crossrec_pipeline.models.neighbours.listing import list_neighbours_items
from crossrec_pipeline.models.neighbours.weights import EventWeights, TrainWeights
from crossrec_pipeline.sessions.store import SessionStore

N_ITEMS = 7
LONGEST = 6
SESSION = st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=LONGEST)
LOG = st.lists(SESSION, max_size=25)
LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Weights:
    """Weights of everything; those of events by their place from the end, from 1."""

    session: Sequence[float]
    item: Sequence[float]
    distance: Sequence[float]
    similarity: Sequence[float]
    score: Sequence[float]


def equal_weights(n_sessions: int) -> Weights:
    ones = [1.0] * 100
    return Weights(ones[:n_sessions], ones[:N_ITEMS], ones, ones, ones)


@st.composite
def weights(draw: st.DrawFn) -> Weights:
    # Eighths, so that sums are exact and equal similarities are many.
    eighths = st.integers(0, 8).map(lambda n: n / 8)
    some = [draw(st.lists(eighths, min_size=n, max_size=n)) for n in (25, N_ITEMS, 6, 6, 6)]
    return Weights(*some)


def listed(
    log: list[list[int]],
    sessions: list[list[int]],
    weights: Weights,
    k: int,
    sample: int,
    postings: int | None = None,
) -> list[dict[int, float]]:
    """Lists of the sessions as the compiled code makes them, all at once."""
    index = build_index(SessionStore.from_sequences(log), N_ITEMS, postings or sample)
    place = np.concatenate(
        [np.zeros(0, int), *(np.arange(len(session), 0, -1) for session in sessions)]
    )
    offsets, items, scores = list_neighbours_items(
        index,
        TrainWeights(
            np.array(weights.session[: len(log)], dtype=float),
            np.array(weights.item, dtype=float),
            np.array(weights.distance, dtype=float),
        ),
        np.array([item for session in sessions for item in session], dtype=np.int32),
        np.cumsum([0, *map(len, sessions)]),
        EventWeights(
            np.array(weights.similarity, dtype=float)[place - 1],
            np.array(weights.score, dtype=float)[place - 1],
        ),
        k,
        sample,
    )
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    return [
        dict(zip(items[begin:end].tolist(), scores[begin:end].tolist(), strict=True))
        for begin, end in pairwise(offsets)
    ]


def listed_by_hand(
    log: list[list[int]], session: list[int], weights: Weights, k: int, sample: int
) -> dict[int, float]:
    """One list as the formulas say, one thing after the other."""
    place = {item: len(session) - event for event, item in enumerate(session)}

    def shared(n: int) -> set[int]:
        return set(log[n]) & set(session)

    def similarity(n: int) -> float:
        return weights.session[n] * sum(weights.similarity[place[x] - 1] for x in shared(n))

    sharing = [n for n in range(len(log) - 1, -1, -1) if shared(n)][:sample]
    nearest = sorted(sharing, key=similarity, reverse=True)[:k]  # a stable sort
    scores: dict[int, float] = {}
    for n in nearest:
        vote = similarity(n) * weights.score[min(place[x] for x in shared(n)) - 1]
        if vote == 0:
            continue
        position = {item: event for event, item in enumerate(log[n])}
        last_shared = max(position[x] for x in shared(n))
        for item in position:
            weight = weights.distance[abs(position[item] - last_shared)] * weights.item[item]
            scores[item] = scores.get(item, 0.0) + vote * weight
    greatest = max(scores.values(), default=0.0) or 1.0
    return {item: max(float(np.float32(s / greatest)), LEAST) for item, s in scores.items()}


@settings(deadline=None, max_examples=300)
@given(
    log=LOG,
    sessions=st.lists(SESSION, max_size=6),
    weights=weights(),
    k=st.integers(1, 12),
    sample=st.integers(1, 12),
)
def test_lists_are_those_made_by_hand(
    log: list[list[int]], sessions: list[list[int]], weights: Weights, k: int, sample: int
) -> None:
    assert listed(log, sessions, weights, k, sample) == [
        listed_by_hand(log, session, weights, k, sample) for session in sessions
    ]


@settings(deadline=None, max_examples=100)
@given(log=LOG, session=SESSION, weights=weights(), sample=st.integers(1, 8))
def test_postings_beyond_the_sample_change_nothing(
    log: list[list[int]], session: list[int], weights: Weights, sample: int
) -> None:
    cut = listed(log, [session], weights, 3, sample, postings=sample)
    assert cut == listed(log, [session], weights, 3, sample, postings=100)


def test_more_recent_one_of_equally_similar_sessions_is_the_nearer() -> None:
    log = [[0, 1], [0, 2], [0, 3]]
    weights = equal_weights(3)
    assert set(listed(log, [[0]], weights, k=1, sample=9)[0]) == {0, 3}
    assert set(listed(log, [[0]], weights, k=2, sample=9)[0]) == {0, 2, 3}


def test_similar_session_beyond_the_sample_is_not_found() -> None:
    log = [[0, 1, 2], [0, 3], [1, 4]]
    weights = equal_weights(3)
    assert set(listed(log, [[0, 1]], weights, k=1, sample=2)[0]) == {1, 4}
    assert set(listed(log, [[0, 1]], weights, k=1, sample=3)[0]) == {0, 1, 2}


def test_session_of_items_that_no_train_session_holds_has_an_empty_list() -> None:
    assert listed([[0, 1]], [[2], [0], [2, 3]], equal_weights(1), 5, 5) == [{}, {0: 1, 1: 1}, {}]


def test_nothing_is_listed_where_there_is_no_train_session() -> None:
    assert listed([], [[0, 1]], equal_weights(0), 5, 5) == [{}]


def test_no_sessions_have_no_lists() -> None:
    assert listed([[0, 1]], [], equal_weights(1), 5, 5) == []


def test_lists_longer_than_foreseen_are_whole() -> None:
    # More than 64 items a session: the arrays they are written to must grow, twice.
    n_items = 300
    index = build_index(SessionStore.from_sequences([list(range(n_items))]), n_items, 1)
    ones = np.ones(3)
    offsets, items, scores = list_neighbours_items(
        index,
        TrainWeights(np.ones(1), np.ones(n_items), np.ones(n_items)),
        np.array([0, 1, 2], dtype=np.int32),
        np.arange(4),
        EventWeights(ones, ones),
        1,
        1,
    )
    assert offsets.tolist() == [0, 300, 600, 900]
    assert items.reshape(3, n_items).tolist() == [list(range(n_items))] * 3
    assert (scores == 1).all()
