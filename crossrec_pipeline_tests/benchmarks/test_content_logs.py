import importlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.interactions.world import build_world

FOLDER = Path(__file__).parents[2] / "benchmarks"
N_EVENTS, SEED = 3_000, 7
TYPES = ("Book", "Movie")


@pytest.fixture(scope="module")
def logs() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("content_logs")


@pytest.fixture(scope="module")
def log(logs: Any) -> Any:
    return logs.simulated("planted", N_EVENTS, SEED)


def _items(genres: list[str]) -> pl.DataFrame:
    n = len(genres)
    return pl.DataFrame(
        {
            "item_id": [f"{TYPES[i % 2]}_{i:03}" for i in range(n)],
            "item_type": [TYPES[i % 2] for i in range(n)],
            "genres": [[genre] for genre in genres],
            "popularity": np.linspace(0, 1, n),
        }
    )


def _same_moods(logs: Any, world: str) -> bool:
    """Whether moods prefer the same items where the items of a type exchange their genres."""
    genres = [f"genre {i // 2 % 10}" for i in range(80)]
    exchanged = [*genres[2:], *genres[:2]]
    first, second = (
        build_world(_items(each), SEED, logs.WORLDS[world]).mood_items
        for each in (genres, exchanged)
    )
    return np.array_equal(first, second)


def test_genres_decide_in_one_world_and_tell_nothing_in_the_other(logs: Any):
    assert not _same_moods(logs, "planted")
    assert _same_moods(logs, "none")


def test_about_a_tenth_of_the_items_is_new(logs: Any, log: Any):
    new = logs.new_items(log.items, SEED)

    assert new.is_in(log.items["item_id"].implode()).all()
    assert 0.08 < len(new) / log.items.height < 0.12
    assert logs.new_items(log.items.reverse(), SEED).equals(new)
    assert not logs.new_items(log.items, SEED + 1).equals(new)


def test_new_items_come_with_the_test_part_only(logs: Any, log: Any):
    new = set(logs.new_items(log.items, SEED))
    later = {item_id for session in log.later for item_id in session}

    assert new.isdisjoint(log.in_train)
    assert new.isdisjoint(log.dataset.vocabulary.item_ids)
    assert len(new & later) > 10
    # Others came before, but too seldom to be in the vocabulary.
    assert (later & log.in_train) - set(log.dataset.vocabulary.item_ids)


def test_later_sessions_are_those_of_test_with_all_their_items(log: Any):
    vocabulary = log.dataset.vocabulary
    # What is left of them without unknown items, and repeats that come of that.
    known = [
        [item for item, _ in groupby(vocabulary.encode(i for i in session if i in vocabulary))]
        for session in log.later
    ]

    assert all(len(session) >= 2 for session in log.later)
    assert len(log.later) > log.dataset.test.n_sessions > 0
    # The part begins with an event of a known item, before which its first session may have others.
    assert all(session.tolist() in known for session in list(log.dataset.test)[1:])


def test_the_worlds_of_one_seed_are_other_logs(logs: Any, log: Any):
    none = logs.simulated("none", N_EVENTS, SEED)

    assert none.items.equals(log.items)
    assert none.name != log.name
    assert none.later != log.later
    assert logs.simulated("planted", N_EVENTS, SEED).later == log.later
