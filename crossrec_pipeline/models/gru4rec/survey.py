"""Sessions in; what training must know of them beforehand out, read once and block by block."""

from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.sessions.store import SessionStore

_BLOCK = 1_000_000
"""Events, or sessions, looked at at once: 8 MB."""


@dataclass(frozen=True)
class Survey:
    """What a store's sessions hold.

    Attributes
    ----------
    n_predictions
        Events after each session's first.
    target_support
        How often each item follows another in its session, int64 [n_items].
    """

    n_predictions: int
    target_support: np.ndarray


def survey(store: SessionStore, n_items: int, part: str) -> Survey:
    """Count a store's predictions and targets without a copy of its arrays.

    Parameters
    ----------
    store
        Sessions, in memory or memory-mapped.
    n_items
        Size of the vocabulary.
    part
        What to call the store in an error.

    Raises
    ------
    TrainingError
        If an item is not in the vocabulary.
    """
    support = np.zeros(n_items, dtype=np.int64)
    for begin in range(0, store.n_events, _BLOCK):
        items = store.item_index[begin : begin + _BLOCK]
        if not 0 <= items.min() <= items.max() < n_items:
            raise TrainingError(
                f"GRU4Rec: {part} holds item indexes {store.item_index.min()} to "
                f"{store.item_index.max()}, but the vocabulary has {n_items} items. Rebuild "
                "sessions/sequences, which makes both."
            )
        support += np.bincount(items, minlength=n_items)
    n_empty = 0
    for begin in range(0, store.n_sessions, _BLOCK):
        offsets = store.offsets[begin : begin + _BLOCK + 1]
        first_events = offsets[:-1][np.diff(offsets) > 0]
        support -= np.bincount(store.item_index[first_events], minlength=n_items)
        n_empty += len(offsets) - 1 - len(first_events)
    return Survey(store.n_events - (store.n_sessions - n_empty), support)
