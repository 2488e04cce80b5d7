import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.interactions.forward import (
    beliefs_by_step,
    next_item_probabilities,
)
from crossrec_pipeline.interactions.item_draws import WorldDraws
from crossrec_pipeline.interactions.world import World, WorldParameters, build_world
from crossrec_pipeline_tests.interactions.catalogues import catalogue

TINY = WorldParameters(
    n_archetypes=2, n_moods=3, stay=0.7, link=0.2, noise=0.1, repeat=0.15, n_successors=2
)
WORLD = build_world(catalogue(3, 2, 2), seed=5, parameters=TINY)
N = WORLD.n_items


def emission(world: World, mood: int, seen: list[int], item: int) -> float:
    """The law of one event, spelt out as in the documentation of the world."""
    parameters = world.parameters
    if not seen:
        return (
            parameters.noise * world.noise_items[item]
            + (1 - parameters.noise) * world.mood_items[mood, item]
        )
    last = seen[-1]
    if item == last:
        return 0.0
    earlier = [other for other in seen if other != last]
    repeat = parameters.repeat if earlier else 0.0
    link = sum(
        share
        for successor, share in zip(world.successors[last], world.successor_share, strict=True)
        if successor == item
    )
    total = parameters.link * link
    total += parameters.noise * world.noise_items[item] / (1 - world.noise_items[last])
    if earlier:
        total += repeat * earlier.count(item) / len(earlier)
    rest = 1 - parameters.link - parameters.noise - repeat
    return total + rest * world.mood_items[mood, item] / (1 - world.mood_items[mood, last])


def by_enumeration(world: World, history: list[int]) -> np.ndarray:
    """Sum over every archetype and every path of moods."""
    joint = np.zeros(world.n_items)
    n_moods, stay = world.parameters.n_moods, world.parameters.stay
    for z, share in enumerate(world.archetype_share):
        for path in itertools.product(range(n_moods), repeat=len(history) + 1):
            weight = share * world.mood_share[z, path[0]]
            for before, after in itertools.pairwise(path):
                weight *= stay * (before == after) + (1 - stay) * world.mood_share[z, after]
            for t, item in enumerate(history):
                weight *= emission(world, path[t], history[:t], item)
            for item in range(world.n_items):
                joint[item] += weight * emission(world, path[-1], history, item)
    return joint / joint.sum()


@pytest.mark.parametrize(
    "history", [[0], [1, 2], [0, 1, 0], [3, 4, 5, 3], [2, 5, 2, 6], [6, 0, 1, 4, 1]]
)
def test_forward_algorithm_equals_enumeration_of_all_hidden_paths(history: list[int]):
    computed = next_item_probabilities(WORLD, [np.array(history)])[0]
    np.testing.assert_allclose(computed, by_enumeration(WORLD, history), rtol=1e-10, atol=1e-14)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, N - 1), min_size=1, max_size=9), min_size=1, max_size=5))
def test_probabilities_sum_to_one_and_leave_out_the_last_item(histories: list[list[int]]):
    law = next_item_probabilities(WORLD, [np.array(history) for history in histories])
    assert (law >= 0).all()
    np.testing.assert_allclose(law.sum(axis=1), 1.0, atol=1e-12)
    assert [law[row, history[-1]] for row, history in enumerate(histories)] == [0.0] * len(law)


def test_sessions_of_a_batch_do_not_influence_each_other():
    histories = [np.array([1, 2, 3, 1]), np.array([4]), np.array([5, 0])]
    together = next_item_probabilities(WORLD, histories)
    for row, history in enumerate(histories):
        np.testing.assert_allclose(next_item_probabilities(WORLD, [history])[0], together[row])


def test_consecutive_repeat_tells_nothing():
    plain, doubled = next_item_probabilities(
        WORLD, [np.array([1, 2, 0, 3]), np.array([1, 1, 2, 2, 2, 0, 3, 3])]
    )
    np.testing.assert_allclose(plain, doubled, rtol=1e-12)


def test_longer_history_than_the_last_item_matters():
    one, other = next_item_probabilities(WORLD, [np.array([0, 2]), np.array([5, 2])])
    assert np.abs(one - other).sum() > 0.05


def test_empty_history_is_refused():
    with pytest.raises(ValueError, match="history 1 is empty"):
        next_item_probabilities(WORLD, [np.array([0]), np.array([], dtype=np.int64)])


def test_sessions_out_of_order_are_refused():
    with pytest.raises(ValueError, match="longest first"):
        next(beliefs_by_step(WORLD, np.zeros((2, 3), dtype=np.int64), np.array([1, 3])))


def test_drawn_sessions_follow_the_computed_law():
    """Pearson's statistic over the most frequent histories stays within five sigma."""
    rng = np.random.default_rng(11)
    n_sessions = 150_000
    archetypes = rng.choice(2, size=n_sessions, p=WORLD.archetype_share)
    draws = WorldDraws(WORLD, archetypes)
    sessions = draws.draw(rng, np.arange(n_sessions), np.full(n_sessions, 4))
    for length in (1, 2, 3):
        histories, group, counts = np.unique(
            sessions[:, :length], axis=0, return_inverse=True, return_counts=True
        )
        groups = np.argsort(-counts)[:10]
        law = next_item_probabilities(WORLD, list(histories[groups]))
        for row, chosen in enumerate(groups):
            observed = np.bincount(sessions[group.ravel() == chosen, length], minlength=N)
            expected = law[row] * counts[chosen]
            possible = expected > 0
            assert observed[~possible].sum() == 0
            freedom = int(possible.sum()) - 1
            statistic = ((observed[possible] - expected[possible]) ** 2 / expected[possible]).sum()
            assert statistic < freedom + 5 * np.sqrt(2 * freedom)
