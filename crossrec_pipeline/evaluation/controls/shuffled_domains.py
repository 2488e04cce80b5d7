"""Sessions of several types in; sessions whose types have nothing to do with each other out."""

from dataclasses import replace

import numpy as np

from crossrec_pipeline.sessions.store import SessionStore


def shuffle_domains(store: SessionStore, type_codes: np.ndarray, seed: int) -> SessionStore:
    """Let sessions exchange what they hold of a type, for each type on its own.

    What a session holds of a type goes, in its order, to a random session that holds as much of
    it. Lengths, the pattern of types and what follows what inside a type stay; which book comes
    with which movie becomes chance. What a model loses by being trained on these is what it had
    learnt across domains.

    Parameters
    ----------
    store
        Sessions to learn from.
    type_codes
        Type of each item, int [n_items].
    seed
        Of the exchange.
    """
    rng = np.random.default_rng(seed)
    items = np.array(store.item_index)
    codes = np.asarray(type_codes)[items]
    session = np.repeat(np.arange(store.n_sessions), store.lengths)
    for code in np.unique(codes):
        event = np.flatnonzero(codes == code)
        holders, begins, n_held = np.unique(session[event], return_index=True, return_counts=True)
        source = np.arange(len(holders))
        for n in np.unique(n_held):
            alike = np.flatnonzero(n_held == n)
            source[alike] = rng.permutation(alike)
        before = np.cumsum(n_held) - n_held
        taken = np.arange(len(event)) + np.repeat(begins[source] - before, n_held)
        items[event] = items[event[taken]]
    return replace(store, item_index=items)
