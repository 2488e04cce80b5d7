"""In: a world and sessions so far. Out: the exact probability of every item to be the next.

The forward algorithm of hidden Markov models (Rabiner 1989, "A tutorial on hidden Markov models",
eqs. 19-20) over the hidden pair (archetype, mood), for many sessions at a time. Consecutive
repeats of an item are log noise in this world: they tell nothing and move nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.interactions.world import World


@dataclass(frozen=True)
class Beliefs:
    """What is known after the first t items of A sessions.

    Attributes
    ----------
    seen
        Those items, int [A, t].
    counts
        False for a consecutive repeat, bool [A, t].
    next_mood
        Probability of the mood of the next event, float64 [A, K].
    """

    seen: np.ndarray
    counts: np.ndarray
    next_mood: np.ndarray

    def rows(self, chosen: np.ndarray | slice) -> "Beliefs":
        """Keep some of the sessions."""
        return Beliefs(self.seen[chosen], self.counts[chosen], self.next_mood[chosen])


def pad(histories: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Stack sequences of item indexes, padded with 0: int64 [B, L], lengths int64 [B].

    Raises
    ------
    ValueError
        If a sequence is empty.
    """
    lengths = np.array([len(history) for history in histories], dtype=np.int64)
    if (lengths == 0).any():
        raise ValueError(f"history {int(np.argmin(lengths))} is empty")
    items = np.zeros((len(lengths), int(lengths.max(initial=0))), dtype=np.int64)
    for row, history in enumerate(histories):
        items[row, : len(history)] = history
    return items, lengths


def beliefs_by_step(world: World, items: np.ndarray, lengths: np.ndarray) -> Iterator[Beliefs]:
    """Follow sessions item by item.

    Parameters
    ----------
    world
        The law.
    items
        Item indexes of B sessions, padded, int [B, L].
    lengths
        Lengths of the sessions, the longest first, int [B].

    Yields
    ------
    Beliefs
        After t = 1 … L items, of the sessions (the first rows) that have at least t.
    """
    if (np.diff(lengths) > 0).any():
        raise ValueError("sessions must be ordered by length, the longest first")
    counts = np.ones(items.shape, dtype=bool)
    counts[:, 1:] = items[:, 1:] != items[:, :-1]
    noise = world.parameters.noise
    first = items[:, :1].ravel()
    likelihood = (1 - noise) * world.mood_items[:, first].T + noise * world.noise_items[first, None]
    prior = world.archetype_share[:, None] * world.mood_share
    next_state = _moved_on(world, prior[None] * likelihood[:, None, :])
    for t in range(1, items.shape[1] + 1):
        n_open = int((lengths >= t).sum())
        next_state = next_state[:n_open]
        if t > 1:
            before = Beliefs(
                items[:n_open, : t - 1], counts[:n_open, : t - 1], next_state.sum(axis=1)
            )
            likelihood = _likelihood(world, before, items[:n_open, t - 1])
            moved = _moved_on(world, next_state * likelihood[:, None, :])
            next_state = np.where(counts[:n_open, t - 1, None, None], moved, next_state)
        yield Beliefs(items[:n_open, :t], counts[:n_open, :t], next_state.sum(axis=1))


def next_item_law(world: World, beliefs: Beliefs) -> np.ndarray:
    """Return the probability of each item to be the next event's, float64 [A, N].

    Rows sum to 1 and the last item has probability 0.
    """
    parameters, rows = world.parameters, np.arange(len(beliefs.seen))
    last = beliefs.seen[:, -1]
    may_repeat, repeat_weight, mood_weight = _repeat_and_mood_weights(world, beliefs)
    law = (mood_weight[:, None] * beliefs.next_mood / (1 - world.mood_items[:, last].T)) @ (
        world.mood_items
    )
    law += (parameters.noise / (1 - world.noise_items[last]))[:, None] * world.noise_items
    law[rows, last] = 0.0
    law[rows[:, None], world.successors[last]] += parameters.link * world.successor_share
    np.add.at(law, (rows[:, None], beliefs.seen), may_repeat * repeat_weight[:, None])
    return law


def next_item_probabilities(world: World, histories: Sequence[np.ndarray]) -> np.ndarray:
    """Return the exact distribution of the item after each history, float64 [B, N].

    Parameters
    ----------
    world
        The law that the sessions follow.
    histories
        Item indexes of each session so far; none may be empty.
    """
    items, lengths = pad(histories)
    longest_first = np.argsort(-lengths, kind="stable")
    ordered_lengths = lengths[longest_first]
    result = np.empty((len(lengths), world.n_items))
    for beliefs in beliefs_by_step(world, items[longest_first], ordered_lengths):
        t = beliefs.seen.shape[1]
        ending = np.flatnonzero(ordered_lengths == t)
        if len(ending):
            result[longest_first[ending]] = next_item_law(world, beliefs.rows(ending))
    return result


def _repeat_and_mood_weights(
    world: World, beliefs: Beliefs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Say which earlier events may be repeated [A, t], each one's weight [A], the mood's [A]."""
    parameters = world.parameters
    may_repeat = beliefs.counts & (beliefs.seen != beliefs.seen[:, -1:])
    n_repeats = may_repeat.sum(axis=1)
    repeat = np.where(n_repeats > 0, parameters.repeat, 0.0)
    mood = 1 - parameters.link - parameters.noise - repeat
    return may_repeat, repeat / np.maximum(n_repeats, 1), mood


def _likelihood(world: World, before: Beliefs, items: np.ndarray) -> np.ndarray:
    """Return the probability of `items` [A] as the next ones in each mood, float64 [A, K]."""
    parameters, last = world.parameters, before.seen[:, -1]
    may_repeat, repeat_weight, mood_weight = _repeat_and_mood_weights(world, before)
    is_successor = world.successors[last] == items[:, None]
    in_any_mood = (
        parameters.link * (is_successor * world.successor_share).sum(axis=1)
        + parameters.noise * world.noise_items[items] / (1 - world.noise_items[last])
        + repeat_weight * (may_repeat & (before.seen == items[:, None])).sum(axis=1)
    )
    by_mood = world.mood_items[:, items].T / (1 - world.mood_items[:, last].T)
    return in_any_mood[:, None] + mood_weight[:, None] * by_mood


def _moved_on(world: World, joint: np.ndarray) -> np.ndarray:
    """Normalise (archetype, mood) [A, J, K] and let the mood stay or be drawn again."""
    now = joint / joint.sum(axis=(1, 2), keepdims=True)
    stay = world.parameters.stay
    return stay * now + (1 - stay) * now.sum(axis=2, keepdims=True) * world.mood_share
