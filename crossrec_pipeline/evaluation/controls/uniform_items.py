"""Sessions in; sessions of the same lengths with items drawn at random out."""

from dataclasses import replace

import numpy as np

from crossrec_pipeline.sessions.store import SessionStore


def draw_items(store: SessionStore, n_items: int, seed: int) -> SessionStore:
    """Draw each event's item uniformly from all `n_items`.

    There is nothing to learn in such sessions: a model that is trained on some and is better than
    chance on others is measured wrongly.
    """
    rng = np.random.default_rng(seed)
    return replace(store, item_index=rng.integers(0, n_items, store.n_events, dtype=np.int32))
