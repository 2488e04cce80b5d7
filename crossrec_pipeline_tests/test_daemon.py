"""Which change rebuilds what, under a real daemon with real runs.

The same matrix as test_lineage.py, as one story; it takes minutes and is run by `make test-daemon`.
"""

from collections.abc import Iterator

import polars as pl
import pytest

from crossrec_pipeline_tests.daemon_world import DaemonWorld
from crossrec_pipeline_tests.lineage_world import (
    NULL_ROW,
    STREET,
    TAKEN_IN,
    a_third_of_the_rows_lost,
    as_is,
    blanks_around_titles,
    every_twentieth_title_missing,
    one_genre_edited,
    one_title_missing,
)

pytestmark = [pytest.mark.daemon, pytest.mark.xdist_group("daemon")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonWorld]:
    world = DaemonWorld(tmp_path_factory.mktemp("daemon"))
    yield world
    world.stop()


def test_after_the_first_build_the_daemon_rests(world: DaemonWorld):
    assert world.settle() == set()


def test_equal_bytes_written_again_rebuild_nothing(world: DaemonWorld):
    world.deliver("movies", as_is)
    assert world.settle() == set()


def test_white_space_alone_stops_at_the_staged_table(world: DaemonWorld):
    items = world.items()
    world.deliver("movies", blanks_around_titles)
    assert world.settle() == TAKEN_IN
    assert world.items().equals(items)


def test_one_edited_row_rebuilds_the_street_but_no_other_domain(world: DaemonWorld):
    champion = world.champion()
    world.accept("movies", one_genre_edited)
    assert world.settle() == STREET
    assert ["Western"] in world.items()["genres"].to_list()
    assert world.champion() != champion


def test_one_missing_title_is_rejected_and_the_rest_goes_on(world: DaemonWorld):
    before = world.items()
    world.deliver("movies", one_title_missing)
    assert world.settle() == STREET
    missing = world.rejected().filter(pl.col("reason") == "missing_title")
    assert missing.select("source_row", "item_type").rows() == [(NULL_ROW + 1, "Movie")]
    assert world.items().height == before.height - 1


@pytest.mark.parametrize(
    ("breaking", "refusing", "genre"),
    [
        (every_twentieth_title_missing, "rejections", "Horror"),
        (a_third_of_the_rows_lost, "size", "Western"),
    ],
)
def test_a_refused_delivery_changes_nothing_published_until_it_is_repaired(
    world: DaemonWorld, breaking, refusing, genre
):
    items, rejected, champion = world.items(), world.rejected(), world.champion()

    world.deliver("movies", breaking)
    assert world.settle() == TAKEN_IN
    assert refusing in world.failed_checks()
    assert world.items().equals(items)
    assert world.rejected().equals(rejected)
    assert world.champion() == champion

    world.accept("movies", lambda rows: [*rows[:-1], {**rows[-1], "genre": genre}])
    assert world.settle() == STREET
    assert [genre] in world.items()["genres"].to_list()
