from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.evaluation.controls.last_item import steps_apart
from crossrec_pipeline.evaluation.controls.shuffled_domains import shuffle_domains
from crossrec_pipeline.evaluation.controls.shuffled_order import shuffle_order
from crossrec_pipeline.evaluation.controls.single_domain import single_domain
from crossrec_pipeline.evaluation.controls.uniform_items import draw_items
from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of

N_ITEMS = 6
TYPES = ["Movie", "Book", "Movie", "Book", "Music", "Book"]
VOCABULARY = vocabulary_of(TYPES)
SEQUENCES = st.lists(st.lists(st.integers(0, N_ITEMS - 1), min_size=2, max_size=6), max_size=6)


def _lists(store: SessionStore) -> list[list[int]]:
    return [session.tolist() for session in store]


@given(SEQUENCES, st.integers(0, 5))
def test_shuffled_sessions_hold_what_they_held(sequences: list[list[int]], seed: int):
    shuffled = shuffle_order(SessionStore.from_sequences(sequences), seed)
    assert [sorted(session) for session in _lists(shuffled)] == [sorted(s) for s in sequences]


def test_order_is_not_kept():
    store = SessionStore.from_sequences([list(range(50))])
    first, second = (_lists(shuffle_order(store, seed)) for seed in (0, 1))
    assert first != second
    assert first != _lists(store)
    assert first == _lists(shuffle_order(store, 0))


def test_drawn_items_are_spread_evenly_over_the_same_sessions():
    store = SessionStore.from_sequences([[0] * 3_000, [1, 1]])
    drawn = draw_items(store, N_ITEMS, 0)
    assert drawn.lengths.tolist() == [3_000, 2]
    counts = np.bincount(drawn.item_index, minlength=N_ITEMS)
    # 3,002 draws of 6: 500 each, standard deviation 20.
    assert abs(counts - 3_002 / 6).max() < 5 * 20.4


def test_each_step_becomes_a_session():
    store = SessionStore.from_sequences([[0, 1, 2], [3], [4, 5]])
    steps = steps_apart(store)
    assert _lists(steps) == [[0, 1], [1, 2], [4, 5]]
    assert steps.n_predictions == store.n_predictions
    assert steps.start_us.tolist() == [0, 0, 2_000_000]
    assert steps.keys["session_id"].to_list() == ["0", "0", "2"]
    assert _lists(steps_apart(SessionStore.from_sequences([]))) == []


def _with_events(sequences: list[list[int]]) -> SessionStore:
    """Number the events by type and gap."""
    store = SessionStore.from_sequences(sequences)
    numbers = np.arange(store.n_events)
    events = EventInputs(numbers.astype(np.uint8), numbers.astype(np.uint32), ("a",))
    return replace(store, events=events)


def _events(store: SessionStore) -> tuple[list[int], list[int]]:
    assert store.events is not None
    return store.events.event_type.tolist(), store.events.gap_s.tolist()


def test_event_inputs_of_steps_are_those_of_their_events():
    # Of each pair the first event begins a session: no gap is known before it.
    steps = steps_apart(_with_events([[0, 1, 2], [3], [4, 5]]))
    assert _events(steps) == ([0, 1, 1, 2, 4, 5], [0, 1, 0, 2, 0, 5])


def test_event_inputs_go_with_their_events_where_order_is_shuffled():
    shuffled = shuffle_order(_with_events([list(range(40))]), 0)
    assert _events(shuffled) == (shuffled[0].tolist(), shuffled[0].tolist())


def test_a_single_domain_keeps_the_event_inputs_of_its_events():
    # Types:     Movie Book Book; Music Book
    store = _with_events([[0, 1, 3], [4, 1]])
    domain = single_domain("Book", VOCABULARY, store, store, store)
    assert _events(domain.train) == ([1, 2], [1, 2])


def test_a_single_domain_by_hand():
    # Types:     Movie Book Book Music Book; Book Movie; Book Book
    sequences = [[0, 1, 3, 4, 5], [1, 2], [3, 3]]
    store = SessionStore.from_sequences(sequences)
    books = single_domain("Book", VOCABULARY, store, store, store)
    assert books.vocabulary.item_ids == ["Book_1", "Book_3", "Book_5"]
    assert _lists(books.test) == [[0, 1, 2], [1, 1]]
    # The whole store predicts 1, 3, 4, 5 (rows 0 to 3), 2 (row 4) and 3 (row 5). Books that come
    # after another book of their session: 3 and 5 in the first one, 3 in the last.
    assert books.predictions.tolist() == [1, 3, 5]
    assert books.test.keys["session_id"].to_list() == ["0", "2"]


@given(SEQUENCES)
def test_predictions_of_a_domain_are_of_the_items_that_are_predicted(sequences: list[list[int]]):
    store = SessionStore.from_sequences(sequences)
    targets = [item for sequence in sequences for item in sequence[1:]]
    for item_type in ("Movie", "Book", "Music"):
        domain = single_domain(item_type, VOCABULARY, store, store, store)
        ids = [VOCABULARY.item_ids[targets[row]] for row in domain.predictions]
        names = domain.vocabulary.item_ids
        assert ids == [names[i] for session in _lists(domain.test) for i in session[1:]]
        assert domain.train.n_sessions == domain.test.n_sessions


@given(SEQUENCES, st.integers(0, 5))
def test_exchanged_sessions_keep_their_types_and_what_a_type_holds(sequences, seed: int):
    codes = VOCABULARY.type_codes
    store = SessionStore.from_sequences(sequences)
    exchanged = _lists(shuffle_domains(store, codes, seed))
    assert [[codes[i] for i in s] for s in exchanged] == [[codes[i] for i in s] for s in sequences]
    for code in range(3):
        held, now_held = (
            Counter(tuple(i for i in session if codes[i] == code) for session in sessions)
            for sessions in (sequences, exchanged)
        )
        assert held == now_held


@pytest.mark.parametrize("seed", [0, 1])
def test_types_come_apart(seed: int):
    # Movie 0 always comes with book 1, movie 2 with book 3.
    store = SessionStore.from_sequences([[0, 1], [2, 3]] * 100)
    pairs = Counter(map(tuple, _lists(shuffle_domains(store, VOCABULARY.type_codes, seed))))
    assert set(pairs) == {(0, 1), (0, 3), (2, 1), (2, 3)}
    assert min(pairs.values()) > 30
