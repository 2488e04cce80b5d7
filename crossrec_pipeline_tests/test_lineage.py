"""Which change rebuilds what, on the real definitions: conditions evaluated, no daemon.

The tests share one world and are steps of one story, in the order they are written.
"""

import polars as pl
import pytest

from crossrec_pipeline.interactions.verdict import LogVerdict
from crossrec_pipeline_tests.lineage_world import (
    NULL_ROW,
    PUBLISHED,
    STREET,
    TAKEN_IN,
    World,
    a_third_of_the_rows_lost,
    as_is,
    blanks_around_titles,
    every_twentieth_title_missing,
    one_genre_edited,
    one_title_missing,
)

pytestmark = pytest.mark.xdist_group("lineage")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("lineage"))
    world.look()
    assert world.build() == STREET | {"catalogue/raw_books"}, world.failures
    return world


def test_after_a_full_build_by_hand_nothing_is_asked_for(world: World):
    assert world.settle() == set(), world.requested


def test_equal_bytes_written_again_rebuild_nothing(world: World):
    world.deliver("movies", as_is)
    assert world.look() == []
    assert world.settle() == set(), world.requested


def test_white_space_alone_stops_at_the_staged_table(world: World):
    items = world.items()
    world.deliver("movies", blanks_around_titles)
    assert world.settle() == TAKEN_IN, world.requested
    assert world.failures == []
    assert world.items().equals(items)


def test_one_edited_row_rebuilds_the_street_but_no_other_domain(world: World):
    champion = world.champion()
    world.accept("movies", one_genre_edited)
    assert world.settle() == STREET, world.requested
    assert world.failures == []
    assert ["Western"] in world.items()["genres"].to_list()
    assert world.champion() != champion
    assert world.settle() == set(), world.requested


def test_one_missing_title_is_rejected_and_the_rest_goes_on(world: World):
    before = world.items()
    world.deliver("movies", one_title_missing)
    assert world.settle() >= STREET, world.requested
    assert world.failures == []
    missing = world.rejected().filter(pl.col("reason") == "missing_title")
    assert missing.select("source_row", "item_type").rows() == [(NULL_ROW + 1, "Movie")]
    assert world.items().height == before.height - 1


def test_what_fails_is_tried_once_more_and_not_again_before_something_changes(world: World):
    items = world.items()
    world.files["movies"].write_text("title,year\nCreed III,2023\n")
    assert world.settle() == set(), world.requested
    assert world.requested == [
        ["catalogue/raw_movies", "catalogue/staged_items"],
        ["catalogue/raw_movies"],
    ]
    assert len(world.failures) == 2
    assert "required column 'names'" in world.failures[0]
    assert world.items().equals(items)
    assert world.settle() == set()
    assert world.requested == []

    world.deliver("movies", one_title_missing)
    assert world.settle() >= TAKEN_IN, world.requested
    assert world.failures == []


@pytest.mark.parametrize(
    ("breaking", "genre"),
    [(every_twentieth_title_missing, "Horror"), (a_third_of_the_rows_lost, "Western")],
)
def test_a_refused_delivery_changes_nothing_published_until_it_is_repaired(
    world: World, breaking, genre
):
    items, rejected, champion = world.items(), world.rejected(), world.champion()

    world.deliver("movies", breaking)
    assert world.settle() == TAKEN_IN, world.requested
    assert world.failures != []
    assert world.items().equals(items)
    assert world.rejected().equals(rejected)
    assert world.champion() == champion

    # Published by hand, without the checks: refused all the same.
    assert world.build(PUBLISHED) == set()
    assert "have not passed their checks" in world.failures[-1]
    assert world.items().equals(items)
    assert world.rejected().equals(rejected)

    # Repaired, with another edit so that there is something to publish.
    world.accept("movies", lambda rows: [*rows[:-1], {**rows[-1], "genre": genre}])
    assert world.settle() >= STREET, world.requested
    assert world.failures == []
    assert [genre] in world.items()["genres"].to_list()
    assert world.settle() == set(), world.requested


def test_a_refused_log_is_not_trained_on_even_by_hand(world: World):
    # The verdict is what the check wrote: here, that of a log it refused.
    LogVerdict(world.settings.log_verdict_path).record(passed=False)
    world.failures = []
    assert world.build(["sessions/sequences"]) == set()
    assert "has not passed its checks" in world.failures[-1]
