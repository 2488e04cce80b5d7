"""What a served model is asked and what it answers, whatever ranks behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

MOST_INFLUENCES = 50
"""Events of a session, its last ones, whose influence is computed; it takes a run for each."""


def _no_items() -> np.ndarray:
    return np.zeros(0, dtype=np.int32)


@dataclass(frozen=True)
class Query:
    """One session to continue.

    Attributes
    ----------
    session
        Item indexes, oldest first, not empty, int32 [L].
    top_k
        How many items are wanted; fewer are answered only when fewer pass the filters.
    types
        Codes of the types that may be recommended; None allows all.
    excluded
        Item indexes that are never recommended, in any order, int32 [n].
    state
        Token of an earlier answer whose session was a beginning of this one; None where there is
        none. One that does not fit is passed over: the answer is the same, it only takes longer.
    wants_state
        Answer with a token.
    wants_influence
        Answer with what each event of the session did to each recommended item's score; of a
        session of more than `MOST_INFLUENCES` events, what each of its last ones did.
    """

    session: np.ndarray
    top_k: int
    types: tuple[int, ...] | None = None
    excluded: np.ndarray = field(default_factory=_no_items)
    state: bytes | None = None
    wants_state: bool = False
    wants_influence: bool = False


@dataclass(frozen=True)
class Ranking:
    """The answer to one query.

    Attributes
    ----------
    items
        Best first, equal scores by item index, int32 [K].
    scores
        The model's own scores, falling; comparable within one answer only, float32 [K].
    state
        Token for the next query of this session; None where none was asked for, or the model has
        no state to hand out.
    influence
        Score of each recommended item less its score had the event not happened (leave-one-out):
        positive where the event speaks for the item, float32 [K, L]. For a session of one event,
        whose rest is empty, all of it is that event's: ones. Zero for events before the last
        `MOST_INFLUENCES`. None where it was not asked for.
    """

    items: np.ndarray
    scores: np.ndarray
    state: bytes | None = None
    influence: np.ndarray | None = None


class Engine(Protocol):
    """Ranks for many queries at once. Used by one thread at a time."""

    def rank(self, queries: Sequence[Query]) -> list[Ranking]:
        """Answer each query, in order; what stands in one changes no other's answer."""
        ...

    def description(self) -> dict[str, Any]:
        """Say what ranks, as JSON-like values: at least ``kernel`` (its name) and ``recall``.

        ``recall`` is the share of the exact top 20 that was found on a sample when the engine was
        loaded: 1.0 for an exact kernel.
        """
        ...
