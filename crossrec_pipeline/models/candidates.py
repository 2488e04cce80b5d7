"""What a model gives that scores a few items and leaves the others as they are: lists of items.

Rules and neighbours know something about hundreds of items, not about all. Every item has a score
of the floor, the same for every session; a list replaces the scores of the items on it. Nothing of
the size predictions × items need be written to rank with them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from crossrec_pipeline.models.base import PositionScores
from crossrec_pipeline.sessions.store import SessionStore

QUERIES_PER_BLOCK = 4096
_SCORES_PER_BLOCK = 8_000_000


@dataclass(frozen=True)
class Queries:
    """Sessions so far, each a slice of one array.

    Attributes
    ----------
    item_index
        Items of all sessions, int32 [n_events].
    begins, ends
        Query `q` is ``item_index[begins[q]:ends[q]]``, not empty, int64 [Q].
    """

    item_index: np.ndarray
    begins: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.begins)

    @classmethod
    def of(cls, sessions: Sequence[np.ndarray]) -> "Queries":
        """Make queries of whole sessions, each of item indexes."""
        ends = np.cumsum([len(session) for session in sessions], dtype=np.int64)
        items = np.concatenate(sessions) if len(sessions) else np.zeros(0)
        return cls(items.astype(np.int32), np.concatenate([np.zeros(1, np.int64), ends])[:-1], ends)


@dataclass(frozen=True)
class Lists:
    """Items with their scores, query after query.

    Attributes
    ----------
    offsets
        Query `q` has ``items[offsets[q]:offsets[q + 1]]``, int64 [Q + 1].
    items
        Distinct within a query, in any order, int32 [n].
    scores
        Higher is more likely next; they replace the items' scores of the floor, float32 [n].
    """

    offsets: np.ndarray
    items: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def part(self, begin: int, end: int) -> "Lists":
        """Return the lists of queries `begin` … `end` - 1."""
        first, last = self.offsets[begin], self.offsets[end]
        return Lists(
            self.offsets[begin : end + 1] - first, self.items[first:last], self.scores[first:last]
        )

    def dense(self, floor: np.ndarray) -> np.ndarray:
        """Write the scores of all items out, float32 [Q, n_items]."""
        scores = np.tile(floor, (len(self), 1))
        row = np.repeat(np.arange(len(scores)), np.diff(self.offsets))
        scores[row, self.items] = self.scores
        return scores


@dataclass(frozen=True)
class PositionLists:
    """Lists for a block of predictions; `session` and `position` as in `PositionScores`."""

    session: np.ndarray
    position: np.ndarray
    lists: Lists


@runtime_checkable
class ListScorer(Protocol):
    """A model that lists items; scores need not be written out to be ranked."""

    def floor(self) -> np.ndarray:
        """Return each item's score where no list names it, float32 [n_items]."""
        ...

    def position_lists(self, store: SessionStore) -> Iterator[PositionLists]:
        """List items for every event of a store after each session's first, each exactly once.

        Blocks are of a bounded size, in any order.
        """
        ...


class ListModel(ABC):
    """Scores of a `Recommender` for models that list items: they say the floor, and list."""

    @abstractmethod
    def floor(self) -> np.ndarray:
        """Return each item's score where no list names it, float32 [n_items]."""

    @abstractmethod
    def lists(self, queries: Queries) -> Lists:
        """List items for sessions so far."""

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Score every item as the next one of each (non-empty) session, float32 [B, n_items]."""
        return self.lists(Queries.of(sessions)).dense(self.floor())

    def position_lists(self, store: SessionStore) -> Iterator[PositionLists]:
        """List items for every event of a store after each session's first, in its order."""
        for session, position, queries in position_queries(store, QUERIES_PER_BLOCK):
            yield PositionLists(session, position, self.lists(queries))

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        """Score every event of a store after each session's first, in the order of the lists."""
        return dense_blocks(self.position_lists(store), self.floor())


def dense_blocks(blocks: Iterator[PositionLists], floor: np.ndarray) -> Iterator[PositionScores]:
    """Write the scores of all items out, in smaller blocks."""
    n_rows = max(1, _SCORES_PER_BLOCK // max(len(floor), 1))
    for block in blocks:
        for begin in range(0, len(block.session), n_rows):
            end = min(begin + n_rows, len(block.session))
            yield PositionScores(
                block.session[begin:end],
                block.position[begin:end],
                block.lists.part(begin, end).dense(floor),
            )


def position_queries(
    store: SessionStore, block: int
) -> Iterator[tuple[np.ndarray, np.ndarray, Queries]]:
    """List all predictions of a store in blocks.

    Yields
    ------
    session, position, queries
        int64 [Q], int64 [Q], and the session's events before each position, with Q ≤ `block`.
    """
    session_of_event = np.repeat(np.arange(store.n_sessions), store.lengths)
    position_of_event = np.arange(store.n_events) - store.offsets[session_of_event]
    targets = np.flatnonzero(position_of_event > 0)
    items = np.asarray(store.item_index)
    for begin in range(0, len(targets), block):
        event = targets[begin : begin + block]
        session = session_of_event[event]
        yield (
            session,
            position_of_event[event],
            Queries(items, np.asarray(store.offsets)[session], event),
        )
