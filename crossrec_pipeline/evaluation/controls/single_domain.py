"""Sessions of all types in; those of one type, and which predictions they share, out."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary


@dataclass(frozen=True)
class SingleDomain:
    """What a model sees that knows the items of one type only.

    Attributes
    ----------
    vocabulary
        The type's items, numbered anew.
    train, validation, test
        What is left of each session of two such events or more.
    predictions
        Row of each prediction of `test` among those of the whole test store, int64.
    """

    vocabulary: Vocabulary
    train: SessionStore
    validation: SessionStore
    test: SessionStore
    predictions: np.ndarray


def single_domain(
    item_type: str,
    vocabulary: Vocabulary,
    train: SessionStore,
    validation: SessionStore,
    test: SessionStore,
) -> SingleDomain:
    """Leave out the events of all other types.

    The predictions are those of the type's events before which the session has another of the
    type. Ranks among the type's items can be compared with `rank_within_type` of a model of all
    types: if the latter is worse, what it learnt of other types harms (negative transfer).

    Parameters
    ----------
    item_type
        One of the vocabulary's types.
    vocabulary
        Items of all types.
    train, validation, test
        Their sessions.
    """
    chosen = vocabulary.frame["item_type"] == item_type
    new_index = np.where(chosen, np.cumsum(chosen) - 1, -1).astype(np.int32)
    parts = [_part(store, new_index)[0] for store in (train, validation, test)]
    event = _part(test, new_index)[1]
    session = np.repeat(np.arange(test.n_sessions), test.lengths)
    # The first event of a session of the type is not predicted by it.
    first = np.zeros(len(event), dtype=bool)
    first[parts[2].offsets[:-1]] = True
    predicted = event[~first]
    return SingleDomain(
        Vocabulary.from_items(vocabulary.frame.filter(chosen)),
        *parts,
        predictions=predicted - session[predicted] - 1,
    )


def _part(store: SessionStore, new_index: np.ndarray) -> tuple[SessionStore, np.ndarray]:
    """Return the sessions of the items that have an index, and the events they are made of."""
    items = new_index[np.asarray(store.item_index)]
    session = np.repeat(np.arange(store.n_sessions), store.lengths)
    n_kept = np.bincount(session[items >= 0], minlength=store.n_sessions)
    event = np.flatnonzero((items >= 0) & (n_kept[session] >= 2))
    sessions = np.flatnonzero(n_kept >= 2)
    return (
        SessionStore(
            items[event],
            np.concatenate([np.zeros(1, np.int64), np.cumsum(n_kept[sessions])]),
            np.asarray(store.start_us)[sessions],
            np.asarray(store.end_us)[sessions],
            store.keys[pl.Series(sessions, dtype=pl.UInt32)],
            None if store.events is None else store.events.only(event),
        ),
        event,
    )
