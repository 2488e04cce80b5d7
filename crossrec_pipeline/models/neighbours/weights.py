"""From places, ages and counts to weights: what the kinds of session neighbours differ in."""

from typing import NamedTuple

import numpy as np

from crossrec_pipeline.models.neighbours.index import SessionIndex


class TrainWeights(NamedTuple):
    """What a kind makes of train, whatever the session so far; none is negative.

    Attributes
    ----------
    session
        By train session, float64 [S].
    item
        By item, float64 [n_items].
    distance
        By the distance of two events of a train session, float64 [length of the longest].
    """

    session: np.ndarray
    item: np.ndarray
    distance: np.ndarray

    @classmethod
    def equal(cls, index: SessionIndex) -> "TrainWeights":
        """Give all the weight 1; a kind replaces what it weighs."""
        return cls(
            np.ones(index.n_sessions), np.ones(index.n_items), np.ones(index.longest_session)
        )


class EventWeights(NamedTuple):
    """What a kind makes of the events of sessions so far; none is negative.

    Attributes
    ----------
    similarity
        What the event's item adds to the similarity of sessions that share it, float64 [E].
    score
        Weight of the neighbours of which it is the most recent shared item, float64 [E].
    """

    similarity: np.ndarray
    score: np.ndarray


def exponential(distance: np.ndarray, scale: float) -> np.ndarray:
    """Return exp(-distance / scale), float64: 1 at no distance, 0.37 at `scale`."""
    return np.exp(-distance / scale)


def size_norm(index: SessionIndex) -> np.ndarray:
    """Return the inverse root of each train session's number of distinct items, float64 [S]."""
    return 1 / np.sqrt(np.diff(index.session_offsets))


def session_age(index: SessionIndex) -> np.ndarray:
    """Return the share of the train sessions that began after each, float64 [S]: below 1.

    Ages in days would need a clock that all logs have, and a scale for each of them.
    """
    return np.arange(index.n_sessions)[::-1] / max(index.n_sessions, 1)


def inverse_frequency(index: SessionIndex) -> np.ndarray:
    """Return ln(S / sessions that hold the item), float64 [n_items]: 0 for one that all hold.

    An item that no session holds is taken as one that a single session does; no list names it.
    """
    return np.log(max(index.n_sessions, 1) / np.maximum(index.session_counts, 1))
