import numpy as np
import pytest

from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.order import session_orders
from crossrec_pipeline.sessions.store import SessionStore

KEY = np.random.SeedSequence(3)
RARE, COMMON = 0, 1  # items, and their types
STORE = SessionStore.from_sequences([[RARE] * 3] * 10 + [[COMMON] * 3] * 90 + [[RARE]])
TYPES = np.array([0, 1])


def _orders(store=STORE, types=TYPES, **options):
    n_predictions = int(np.maximum(store.lengths - 1, 0).sum())
    return session_orders(store, GRU4RecConfig(**options), KEY, n_predictions, types)


def _share_of_rare_targets(order, store=STORE):
    targets = np.concatenate([store[session][1:] for session in order])
    return (TYPES[targets] == 0).mean()


def test_each_session_comes_once_an_epoch_in_another_order():
    orders = _orders()

    first, second = orders(1)[:], orders(2)[:]

    assert sorted(first) == sorted(second) == list(range(101))
    assert not np.array_equal(first, second)
    assert orders.n_predictions(orders(1)) == 200


def test_by_time_is_as_stored():
    assert _orders(session_order="time")(1)[:].tolist() == list(range(101))


def test_balanced_sessions_bring_targets_of_all_types_alike():
    orders = _orders(balance_sessions=1)
    drawn = np.concatenate([orders(epoch)[:] for epoch in range(1, 31)])

    assert len(orders(1)) == 101
    assert _share_of_rare_targets(drawn) == pytest.approx(0.5, abs=0.03)
    assert 100 not in drawn, "a session of one event has nothing to predict"


def test_half_balanced_sessions_are_in_between():
    orders = _orders(balance_sessions=0.5)
    drawn = np.concatenate([orders(epoch)[:] for epoch in range(1, 31)])

    # Weights are 20^-½ and 180^-½ for 10 and 90 sessions.
    assert _share_of_rare_targets(drawn) == pytest.approx(0.25, abs=0.03)


def test_balanced_predictions_are_those_of_the_drawn_sessions():
    store = SessionStore.from_sequences([[RARE, RARE], [COMMON] * 5, [COMMON] * 9])
    orders = _orders(store, balance_sessions=0.7)

    order = orders(1)

    assert orders.n_predictions(order) == sum(len(store[session]) - 1 for session in order[:])


def test_balanced_orders_are_decided_by_the_key_and_the_epoch():
    assert np.array_equal(_orders(balance_sessions=1)(2)[:], _orders(balance_sessions=1)(2)[:])
    assert not np.array_equal(_orders(balance_sessions=1)(1)[:], _orders(balance_sessions=1)(2)[:])


def test_balanced_sessions_by_time_come_in_their_order():
    order = _orders(balance_sessions=1, session_order="time")(1)[:]

    assert np.array_equal(order, np.sort(order))
