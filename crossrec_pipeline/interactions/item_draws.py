"""In: a world, archetypes and lengths of sessions. Out: the items of those sessions, drawn at once.

Sessions advance together, one event a step, so that the cost is a few array operations per step.
"""

from functools import cached_property
from typing import Protocol

import numpy as np

from crossrec_pipeline.interactions.world import RowChooser, World

NO_ITEM = -1
"""Fills the rows of sessions that are shorter than the longest one."""


class ItemDraws(Protocol):
    """Fills sessions with items; `item_ids` names the indexes that `draw` returns."""

    item_ids: tuple[str, ...]

    def draw(self, rng: np.random.Generator, users: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Draw items for sessions of `users` [S] with `lengths` [S], int32 [S, max length]."""
        ...


class UniformDraws:
    """Every item alike, but never the same twice in a row: there is nothing to be learnt."""

    def __init__(self, item_ids: tuple[str, ...]) -> None:
        self.item_ids = item_ids

    def draw(self, rng: np.random.Generator, users: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Draw items; see `ItemDraws`."""
        n_items, longest = len(self.item_ids), int(lengths.max(initial=1))
        items = np.empty((len(lengths), longest), dtype=np.int32)
        items[:, 0] = rng.integers(n_items, size=len(lengths))
        for t in range(1, longest):
            # A step of 1 … n - 1 around the circle reaches each other item alike.
            steps = rng.integers(1, n_items, size=len(lengths))
            items[:, t] = (items[:, t - 1] + steps) % n_items
        items[np.arange(longest) >= lengths[:, None]] = NO_ITEM
        return items


class WorldDraws:
    """Sessions that follow a world's law.

    Parameters
    ----------
    world
        The law.
    archetype_of_user
        Index of each user's archetype, integers [n_users].
    """

    def __init__(self, world: World, archetype_of_user: np.ndarray) -> None:
        self.item_ids = world.item_ids
        self._world = world
        self._archetype_of_user = archetype_of_user

    @cached_property
    def _mood_items(self) -> RowChooser:
        return RowChooser(self._world.mood_items)

    @cached_property
    def _noise_items(self) -> RowChooser:
        return RowChooser(self._world.noise_items[None, :])

    @cached_property
    def _moods(self) -> RowChooser:
        return RowChooser(self._world.mood_share)

    @cached_property
    def _successor_ranks(self) -> RowChooser:
        return RowChooser(self._world.successor_share[None, :])

    def draw(self, rng: np.random.Generator, users: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Draw items; see `ItemDraws`."""
        longest_first = np.argsort(-lengths, kind="stable")
        archetypes = self._archetype_of_user[users[longest_first]].astype(np.int64)
        ordered_lengths = lengths[longest_first]
        items = np.full((len(lengths), int(lengths.max(initial=1))), NO_ITEM, dtype=np.int32)
        moods = self._moods.draw(rng, archetypes)
        nothing = np.full(len(lengths), NO_ITEM)
        is_noise = rng.random(len(lengths)) < self._world.parameters.noise
        items[:, 0] = self._draw_other(rng, np.where(is_noise, NO_ITEM, moods), nothing)
        for t in range(1, items.shape[1]):
            n_open = int((ordered_lengths > t).sum())
            moves = rng.random(n_open) >= self._world.parameters.stay
            moods = np.where(moves, self._moods.draw(rng, archetypes[:n_open]), moods[:n_open])
            items[:n_open, t] = self._next_items(rng, moods, items[:n_open, :t])
        result = np.empty_like(items)
        result[longest_first] = items
        return result

    def _next_items(
        self, rng: np.random.Generator, moods: np.ndarray, seen: np.ndarray
    ) -> np.ndarray:
        """Draw the item after `seen` [S, t] in `moods` [S], int64 [S]."""
        parameters, last = self._world.parameters, seen[:, -1]
        may_repeat = seen != last[:, None]
        n_repeats = may_repeat.sum(axis=1)
        part = rng.random(len(moods))
        is_link = part < parameters.link
        part -= parameters.link
        is_noise = ~is_link & (part < parameters.noise)
        part -= parameters.noise
        is_repeat = ~is_link & ~is_noise & (part < parameters.repeat) & (n_repeats > 0)
        result = self._draw_other(rng, np.where(is_noise, NO_ITEM, moods), last)
        links = np.flatnonzero(is_link)
        ranks = self._successor_ranks.draw(rng, np.zeros(len(links), dtype=np.int64))
        result[links] = self._world.successors[last[links], ranks]
        repeats = np.flatnonzero(is_repeat)
        chosen = (rng.random(len(repeats)) * n_repeats[repeats]).astype(np.int64)
        position = (may_repeat[repeats].cumsum(axis=1) > chosen[:, None]).argmax(axis=1)
        result[repeats] = seen[repeats, position]
        return result

    def _draw_other(
        self, rng: np.random.Generator, moods: np.ndarray, last: np.ndarray
    ) -> np.ndarray:
        """Draw from each mood (`NO_ITEM`: from noise) an item other than `last`, int64 [S].

        Drawing again while it is the last item gives exactly the distribution without that item.
        """
        result = np.empty(len(moods), dtype=np.int64)
        undrawn = np.arange(len(moods))
        while len(undrawn):
            from_noise = moods[undrawn] == NO_ITEM
            noisy, moody = undrawn[from_noise], undrawn[~from_noise]
            result[noisy] = self._noise_items.draw(rng, np.zeros(len(noisy), dtype=np.int64))
            result[moody] = self._mood_items.draw(rng, moods[moody])
            undrawn = undrawn[result[undrawn] == last[undrawn]]
        return result
