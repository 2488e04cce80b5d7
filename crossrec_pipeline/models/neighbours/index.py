"""From train sessions to two tables: the items of each session, and the sessions of each item."""

from typing import NamedTuple

import numpy as np

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.sessions.store import SessionStore

_EVENTS_AT_ONCE = 1 << 20


class SessionIndex(NamedTuple):
    """Train sessions by item and items by train session, both as compressed sparse rows.

    Sessions are numbered as in the store, by their start: a higher number is more recent. (A named
    tuple, for that is what compiled code takes.)

    Attributes
    ----------
    session_offsets
        Session `s` has the rows ``session_offsets[s]:session_offsets[s + 1]``, int64 [S + 1].
    items
        Distinct items of each session, by their last occurrence, int32 [n].
    positions
        Position of that occurrence in the session, from 0, int32 [n].
    posting_offsets
        Item `i` has the postings ``posting_offsets[i]:posting_offsets[i + 1]``,
        int64 [n_items + 1].
    posting_sessions
        The most recent sessions that hold the item, most recent first, int32 [m].
    session_counts
        How many sessions hold the item, whether posted or not, int32 [n_items].
    """

    session_offsets: np.ndarray
    items: np.ndarray
    positions: np.ndarray
    posting_offsets: np.ndarray
    posting_sessions: np.ndarray
    session_counts: np.ndarray

    @property
    def n_sessions(self) -> int:
        """Number of train sessions."""
        return len(self.session_offsets) - 1

    @property
    def n_items(self) -> int:
        """Size of the vocabulary."""
        return len(self.session_counts)

    @property
    def longest_session(self) -> int:
        """Events of the longest train session."""
        return int(self.positions.max(initial=-1)) + 1


def count_events(train: SessionStore, n_items: int) -> np.ndarray:
    """Count each item's events without a copy of the store's arrays, int64 [n_items].

    Raises
    ------
    TrainingError
        If an item is not in the vocabulary.
    """
    counts = np.zeros(n_items, dtype=np.int64)
    for begin in range(0, train.n_events, _EVENTS_AT_ONCE):
        items = train.item_index[begin : begin + _EVENTS_AT_ONCE]
        if not 0 <= items.min() <= items.max() < n_items:
            raise TrainingError(
                f"Session neighbours: train holds item indexes {train.item_index.min()} to "
                f"{train.item_index.max()}, but the vocabulary has {n_items} items. Rebuild "
                "sessions/sequences, which makes both."
            )
        counts += np.bincount(items, minlength=n_items)
    return counts


def build_index(train: SessionStore, n_items: int, sample: int) -> SessionIndex:
    """Read a store twice from its begin to its end, and make the tables.

    Parameters
    ----------
    train
        Fewer than 2³¹ sessions.
    n_items
        Size of the vocabulary; every item of train is in it.
    sample
        Sessions kept of an item. Among the `sample` most recent sessions that share any item with
        a query none is beyond the `sample` most recent ones of that item: whoever asks for no
        more than that finds them all.
    """
    events, offsets = np.asarray(train.item_index), np.asarray(train.offsets)
    session_offsets, session_counts = _count_distinct(events, offsets, n_items)
    items, positions = _distinct_items(events, offsets, session_offsets, n_items)
    posting_offsets = np.concatenate(
        [np.zeros(1, np.int64), np.cumsum(np.minimum(session_counts, sample), dtype=np.int64)]
    )
    posting_sessions = _recent_sessions(session_offsets, items, posting_offsets)
    return SessionIndex(
        session_offsets, items, positions, posting_offsets, posting_sessions, session_counts
    )


@kernel(error_model="numpy")
def _count_distinct(
    events: np.ndarray, offsets: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    session_offsets = np.zeros(len(offsets), dtype=np.int64)
    session_counts = np.zeros(n_items, dtype=np.int32)
    last_session = np.full(n_items, -1, dtype=np.int32)
    for session in range(len(offsets) - 1):
        n_distinct = 0
        for event in range(offsets[session], offsets[session + 1]):
            item = events[event]
            if last_session[item] != session:
                last_session[item] = session
                session_counts[item] += 1
                n_distinct += 1
        session_offsets[session + 1] = session_offsets[session] + n_distinct
    return session_offsets, session_counts


@kernel(error_model="numpy")
def _distinct_items(
    events: np.ndarray, offsets: np.ndarray, session_offsets: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    items = np.empty(session_offsets[-1], dtype=np.int32)
    positions = np.empty(session_offsets[-1], dtype=np.int32)
    last_session = np.full(n_items, -1, dtype=np.int32)
    for session in range(len(offsets) - 1):
        begin = offsets[session]
        row = session_offsets[session + 1]
        # Backwards, so that an item's last occurrence is met first.
        for event in range(offsets[session + 1] - 1, begin - 1, -1):
            item = events[event]
            if last_session[item] != session:
                last_session[item] = session
                row -= 1
                items[row] = item
                positions[row] = event - begin
    return items, positions


@kernel(error_model="numpy")
def _recent_sessions(
    session_offsets: np.ndarray, items: np.ndarray, posting_offsets: np.ndarray
) -> np.ndarray:
    posting_sessions = np.empty(posting_offsets[-1], dtype=np.int32)
    free = posting_offsets[:-1].copy()
    for session in range(len(session_offsets) - 2, -1, -1):
        for row in range(session_offsets[session], session_offsets[session + 1]):
            item = items[row]
            if free[item] < posting_offsets[item + 1]:
                posting_sessions[free[item]] = session
                free[item] += 1
    return posting_sessions
