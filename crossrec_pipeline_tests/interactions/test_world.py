import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.interactions.world import RowChooser, World, WorldParameters, build_world
from crossrec_pipeline_tests.interactions.catalogues import catalogue

ITEMS = catalogue(40, 50, 30)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(ITEMS, seed=7)


def arrays(world: World) -> list[np.ndarray]:
    return [value for value in vars(world).values() if isinstance(value, np.ndarray)]


def type_of(world: World) -> np.ndarray:
    return np.array([item_id.split("_")[0] for item_id in world.item_ids])


def test_all_distributions_sum_to_one(world: World):
    for array in (
        world.archetype_share,
        world.mood_share,
        world.mood_items,
        world.noise_items,
        world.successor_share,
    ):
        assert (array >= 0).all()
        np.testing.assert_allclose(array.sum(axis=-1), 1.0, atol=1e-12)


def test_order_of_the_catalogue_does_not_matter(world: World):
    shuffled = build_world(ITEMS.sample(fraction=1.0, shuffle=True, seed=3), seed=7)
    assert shuffled.item_ids == world.item_ids
    for one, other in zip(arrays(shuffled), arrays(world), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_seed_gives_another_world(world: World):
    assert not np.allclose(build_world(ITEMS, seed=8).mood_items, world.mood_items)


def test_every_mood_mixes_all_types(world: World):
    types = type_of(world)
    for item_type in ("Movie", "Music", "Book"):
        assert world.mood_items[:, types == item_type].sum(axis=1).min() >= 0.1 - 1e-12


def test_mood_prefers_some_genres_of_every_type():
    flat = WorldParameters(niche_spread=0.0, popularity_exponent=0.0)
    world = build_world(ITEMS, seed=7, parameters=flat)
    types = type_of(world)
    for item_type in ("Movie", "Music", "Book"):
        share = world.mood_items[:, types == item_type]
        # With neither niche nor popularity all that is left to differ is the genre.
        n_apart = (share.max(axis=1) > 5 * share.min(axis=1)).sum()
        assert n_apart > 0.9 * len(share)


def test_successors_are_distinct_and_other_items_of_several_types(world: World):
    own = np.arange(world.n_items)[:, None]
    assert (world.successors != own).all()
    assert all(len(set(row)) == len(row) for row in world.successors.tolist())
    types = type_of(world)
    assert (types[world.successors] != types[own]).mean() > 0.3


def test_popular_items_are_the_likelier_noise(world: World):
    best = world.index_of["Movie_39"]
    worst = world.index_of["Movie_0"]
    assert world.noise_items[best] > 3 * world.noise_items[worst]


def test_item_without_genres_or_popularity_still_occurs():
    bare = ITEMS.with_columns(
        pl.when(pl.col("item_id") == "Book_0").then(None).otherwise("genres").alias("genres"),
        pl.when(pl.col("item_id") == "Book_0")
        .then(None)
        .otherwise("popularity")
        .alias("popularity"),
    )
    world = build_world(bare, seed=7)
    assert np.isfinite(world.mood_items).all()
    assert world.noise_items[world.index_of["Book_0"]] > 0


def test_tiny_catalogue_is_refused():
    with pytest.raises(EventsError, match="2 items; a simulated log needs at least 3"):
        build_world(ITEMS.head(2), seed=7)


def test_mixture_must_leave_room_for_the_mood():
    with pytest.raises(ValueError, match="below 1"):
        WorldParameters(link=0.9, noise=0.1)


def test_row_chooser_draws_by_the_rows_probabilities():
    chooser = RowChooser(np.array([[0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]))
    rng = np.random.default_rng(0)
    assert set(chooser.draw(rng, np.zeros(100, dtype=np.int64)).tolist()) == {1}
    counts = np.bincount(chooser.draw(rng, np.ones(20_000, dtype=np.int64)), minlength=3)
    np.testing.assert_allclose(counts / 20_000, [0.2, 0.3, 0.5], atol=0.015)
