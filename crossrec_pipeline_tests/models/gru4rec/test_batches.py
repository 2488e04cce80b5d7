from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.models.gru4rec.batches import (
    Window,
    packed_order,
    session_parallel_windows,
)
from crossrec_pipeline.sessions.store import SessionStore


def _store_of_distinct_items(lengths: list[int]) -> SessionStore:
    """Every event has an item of its own, so that events can be told apart."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return SessionStore.from_sequences([list(range(a, b)) for a, b in pairwise(offsets)])


def _rows(window: Window) -> list[list[tuple[int, int, int, bool, bool]]]:
    """Unpack a window the slow way: per time step (lane, input, target, starts, continues)."""
    steps, begin = [], 0
    for step, size in enumerate(window.batch_sizes):
        row = []
        for segment in range(size):
            is_last_step = step + 1 == len(window.batch_sizes)
            is_last = is_last_step or segment >= window.batch_sizes[step + 1]
            row.append(
                (
                    int(window.lanes[segment]),
                    int(window.inputs[begin + segment]),
                    int(window.targets[begin + segment]),
                    bool(step == 0 and window.starts[segment]),
                    bool(is_last and window.continues[segment]),
                )
            )
        steps.append(row)
        begin += size
    assert begin == len(window.inputs) == len(window.targets)
    return steps


lengths_strategy = st.lists(st.integers(0, 12), min_size=1, max_size=25)


@settings(deadline=None, max_examples=150)
@given(lengths_strategy, st.integers(1, 6), st.integers(1, 5), st.randoms(use_true_random=False))
def test_every_pair_of_every_session_comes_exactly_once(lengths, n_lanes, n_steps, random):
    store = _store_of_distinct_items(lengths)
    order = list(range(len(lengths)))
    random.shuffle(order)
    seen = Counter()
    for window in session_parallel_windows(store, np.array(order), n_lanes, n_steps):
        seen.update(zip(window.inputs.tolist(), window.targets.tolist(), strict=True))
    expected = Counter(pair for session in store for pair in pairwise(session.tolist()))
    assert seen == expected


@settings(deadline=None, max_examples=150)
@given(lengths_strategy, st.integers(1, 6), st.integers(1, 5))
def test_state_is_reset_exactly_where_sessions_start_and_kept_elsewhere(lengths, n_lanes, n_steps):
    store = _store_of_distinct_items(lengths)
    first_items = {int(session[0]) for session in store if len(session) >= 2}
    kept: dict[int, int] = {}  # lane: target after which its session goes on
    for window in session_parallel_windows(store, np.arange(len(lengths)), n_lanes, n_steps):
        begun = dict(kept)
        kept = {}
        for step, row in enumerate(_rows(window)):
            for lane, item, target, starts, continues in row:
                assert starts == (item in first_items)
                if step == 0 and not starts:
                    assert begun.pop(lane) == item
                if continues:
                    assert lane not in kept
                    kept[lane] = target
        assert not begun, "a session that went on was left behind"
    assert not kept


@settings(deadline=None, max_examples=60)
@given(lengths_strategy, st.integers(1, 6), st.integers(1, 5))
def test_no_lane_idles_while_sessions_are_left(lengths, n_lanes, n_steps):
    store = _store_of_distinct_items(lengths)
    windows = list(session_parallel_windows(store, np.arange(len(lengths)), n_lanes, n_steps))
    started = 0
    n_sessions = sum(length >= 2 for length in lengths)
    for window in windows:
        started += int(window.starts.sum())
        assert len(window.inputs) <= n_lanes * n_steps
        if started < n_sessions:
            assert len(window.inputs) == n_lanes * n_steps


def test_one_step_windows_are_the_mini_batches_of_the_paper():
    store = SessionStore.from_sequences([[0, 1, 2], [3, 4], [5, 6, 7, 8], [9, 10]])
    windows = list(session_parallel_windows(store, np.arange(4), n_lanes=2, n_steps=1))
    assert [w.inputs.tolist() for w in windows] == [[0, 3], [1, 5], [9, 6], [7]]
    assert [w.targets.tolist() for w in windows] == [[1, 4], [2, 6], [10, 7], [8]]
    assert [w.starts.tolist() for w in windows] == [
        [True, True],
        [False, True],
        [True, False],
        [False],
    ]
    assert [w.lanes.tolist() for w in windows] == [[0, 1], [0, 1], [0, 1], [1]]


def test_wide_window_holds_a_session_end_and_the_next_start():
    store = SessionStore.from_sequences([[0, 1, 2], [3, 4, 5, 6]])
    first, second = session_parallel_windows(store, np.arange(2), n_lanes=1, n_steps=4)
    # Segments 0-1-2 and 3-4-5, packed; the second session goes on.
    assert first.inputs.tolist() == [0, 3, 1, 4]
    assert first.targets.tolist() == [1, 4, 2, 5]
    assert first.continues.tolist() == [False, True]
    assert (second.inputs.tolist(), second.starts.tolist()) == ([5], [False])


def test_sessions_are_taken_in_the_given_order():
    store = SessionStore.from_sequences([[0, 1], [2, 3], [4, 5]])
    windows = session_parallel_windows(store, np.array([2, 0, 1]), n_lanes=1, n_steps=1)
    assert [window.inputs.item() for window in windows] == [4, 0, 2]


@pytest.mark.parametrize("sequences", [[], [[1], [2]]])
def test_sessions_without_a_pair_give_no_windows(sequences):
    store = SessionStore.from_sequences(sequences)
    assert not list(session_parallel_windows(store, np.arange(len(sequences)), 4, 2))


@given(st.lists(st.integers(1, 8), min_size=1, max_size=10))
def test_packed_order_is_time_step_by_time_step(lengths):
    lengths = sorted(lengths, reverse=True)
    begins = np.arange(len(lengths)) * 100
    order, batch_sizes = packed_order(begins, np.array(lengths))
    slow = [
        100 * run + step
        for step in range(lengths[0])
        for run in range(len(lengths))
        if step < lengths[run]
    ]
    assert order.tolist() == slow
    assert batch_sizes.tolist() == [sum(n > step for n in lengths) for step in range(lengths[0])]
