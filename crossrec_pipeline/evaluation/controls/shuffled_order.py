"""Sessions in; the same sessions with their events in random order out."""

from dataclasses import replace

import numpy as np

from crossrec_pipeline.sessions.store import SessionStore


def shuffle_order(store: SessionStore, seed: int) -> SessionStore:
    """Put the events of each session into random order; which items it has stays.

    A model that is trained on these and does as well as before has learnt nothing from order.
    """
    rng = np.random.default_rng(seed)
    session = np.repeat(np.arange(store.n_sessions), store.lengths)
    order = np.lexsort((rng.random(store.n_events), session))
    events = None if store.events is None else store.events.only(order)
    return replace(store, item_index=np.asarray(store.item_index)[order], events=events)
