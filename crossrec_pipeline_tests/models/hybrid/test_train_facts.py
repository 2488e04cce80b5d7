from math import log

import pytest

from crossrec_pipeline.models.hybrid.train_facts import TrainFacts
from crossrec_pipeline.sessions.store import SessionStore


def test_facts_by_hand():
    # 20 events: item 0 fills the first 18, item 1 the last two, item 2 has none.
    facts = TrainFacts.of(SessionStore.from_sequences([[0] * 18, [1, 1]]), n_items=3)
    assert facts.log_support.tolist() == pytest.approx([log(19), log(3), 0])
    # The last 2 % of 20 events begin at event int(19.6) = 19: one event of item 1.
    assert facts.trends[0].tolist() == pytest.approx(
        [log(0.5 / (18 * 0.02 + 0.5)), log(1.5 / (2 * 0.02 + 0.5)), log(0.5 / 0.5)], rel=1e-5
    )
    # The last 10 % are its two.
    assert facts.trends[1].tolist() == pytest.approx(
        [log(0.5 / (18 * 0.1 + 0.5)), log(2.5 / (2 * 0.1 + 0.5)), 0], rel=1e-5, abs=1e-7
    )
    assert facts.age.tolist() == pytest.approx([2 / 20, 0, 1])


def test_an_empty_train_tells_nothing():
    facts = TrainFacts.of(SessionStore.from_sequences([]), n_items=2)
    assert facts.log_support.tolist() == [0, 0]
    assert facts.age.tolist() == [1, 1]


def test_further_items_are_as_one_without_events():
    store = SessionStore.from_sequences([[0] * 18, [1, 1]])
    found, counted = TrainFacts.of(store, n_items=2).grown(1), TrainFacts.of(store, n_items=3)
    for name in ("log_support", "trends", "age"):
        assert getattr(found, name).tolist() == getattr(counted, name).tolist()
        assert getattr(found, name).dtype == getattr(counted, name).dtype
