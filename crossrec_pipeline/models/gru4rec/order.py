"""Train sessions and a key in; the order in which each epoch takes them out."""

from typing import Protocol

import numpy as np

from crossrec_pipeline.models.gru4rec.batches import Order
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.sampling_kernels import alias_table, draw_from_alias_table
from crossrec_pipeline.models.gru4rec.shuffle import NumbersInOrder, ShuffledNumbers
from crossrec_pipeline.sessions.store import SessionStore


class SessionOrders(Protocol):
    """The order of sessions in each epoch."""

    def __call__(self, epoch: int) -> Order:
        """Return the sessions' numbers as an epoch takes them, from 1."""
        ...

    def n_predictions(self, order: Order) -> int:
        """Return how many predictions an epoch of this order has."""
        ...


def session_orders(
    train: SessionStore,
    config: GRU4RecConfig,
    key: np.random.SeedSequence,
    n_predictions: int,
    types: np.ndarray | None = None,
) -> SessionOrders:
    """Return the orders that a configuration asks for.

    Parameters
    ----------
    train
        Sessions, stored by start.
    config
        `session_order`, and `balance_sessions`.
    key
        Decides what is drawn.
    n_predictions
        Predictions in train.
    types
        Type of each item, int [n_items]; needed for `balance_sessions`.
    """
    if config.balance_sessions:
        if types is None:
            raise ValueError("balance_sessions needs the types of the items")
        return BalancedOrders(train, config, key, types)
    return EachOnce(train.n_sessions, n_predictions, config, key)


class EachOnce:
    """Every session once an epoch, shuffled anew or by time; see `session_orders`."""

    def __init__(
        self,
        n_sessions: int,
        n_predictions: int,
        config: GRU4RecConfig,
        key: np.random.SeedSequence,
    ) -> None:
        self._n_sessions = n_sessions
        self._n_predictions = n_predictions
        self._by_time = config.session_order == "time"
        self._key = key

    def __call__(self, epoch: int) -> Order:
        """Return an epoch's order."""
        if self._by_time:
            return NumbersInOrder(self._n_sessions)
        return ShuffledNumbers(self._n_sessions, _key_of_epoch(self._key, epoch))

    def n_predictions(self, order: Order) -> int:
        """Return the number of predictions in train."""
        return self._n_predictions


class BalancedOrders:
    """As many sessions as there are, drawn so that targets of all types come alike.

    A session's weight is the mean, over its targets, of (targets of the type) ** -balance. With
    balance 1 a target of each type is as likely then, if sessions hold targets of one type alone;
    in mixed sessions common types come along with rare ones. Of each epoch eight bytes a session
    are held.
    """

    def __init__(
        self,
        train: SessionStore,
        config: GRU4RecConfig,
        key: np.random.SeedSequence,
        types: np.ndarray,
    ) -> None:
        self._lengths = train.lengths
        self._by_time = config.session_order == "time"
        self._key = key
        session = np.repeat(np.arange(train.n_sessions), self._lengths)
        is_target = np.ones(train.n_events, dtype=bool)
        is_target[np.asarray(train.offsets)[:-1][self._lengths > 0]] = False
        target_type = types[np.asarray(train.item_index)[is_target]]
        counts = np.bincount(target_type, minlength=int(types.max()) + 1)
        factor = np.maximum(counts, 1).astype(np.float64) ** -config.balance_sessions
        sums = np.bincount(
            session[is_target], weights=factor[target_type], minlength=train.n_sessions
        )
        # A session of one event has no target, and is never drawn.
        weight = sums / np.maximum(self._lengths - 1, 1)
        self._keep, self._alias = alias_table(weight / weight.sum())

    def __call__(self, epoch: int) -> Order:
        """Draw an epoch's sessions."""
        rng = np.random.default_rng(_key_of_epoch(self._key, epoch))
        drawn = draw_from_alias_table(self._keep, self._alias, rng.random(len(self._lengths)))
        return np.sort(drawn) if self._by_time else drawn

    def n_predictions(self, order: Order) -> int:
        """Count the predictions of the drawn sessions."""
        return int(np.maximum(self._lengths[order[:]] - 1, 0).sum())


def _key_of_epoch(key: np.random.SeedSequence, epoch: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(key.entropy, spawn_key=(*key.spawn_key, epoch))
