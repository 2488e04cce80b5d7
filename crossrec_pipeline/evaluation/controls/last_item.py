"""Sessions in; each of their steps as a session of its own out."""

import numpy as np

from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import SessionStore


def steps_apart(store: SessionStore) -> SessionStore:
    """Make a session of two events of each event after a session's first and the one before it.

    A recurrent network that is trained and asked on these sees the last item only: it is its own
    feed-forward twin. The sessions are the store's predictions, in their order, so that ranks can
    be compared one by one.
    """
    session = np.repeat(np.arange(store.n_sessions), store.lengths)
    position = np.arange(store.n_events) - np.asarray(store.offsets)[session]
    target = np.flatnonzero(position > 0)
    items = np.asarray(store.item_index)
    return SessionStore(
        np.stack([items[target - 1], items[target]], axis=1).reshape(-1),
        np.arange(0, 2 * len(target) + 1, 2, dtype=np.int64),
        np.asarray(store.start_us)[session[target]],
        np.asarray(store.end_us)[session[target]],
        store.keys[session[target]],
        _events(store, target),
    )


def _events(store: SessionStore, target: np.ndarray) -> EventInputs | None:
    """Return what is known of the events; the first of each pair begins a session now."""
    if store.events is None:
        return None
    pairs = store.events.only(np.stack([target - 1, target], axis=1).reshape(-1))
    pairs.gap_s[::2] = 0
    return pairs
