"""Which delivery makes which days of a growing log anew, without a daemon.

The tests of one world are steps of one story, in the order they are written.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.deliveries import DELIVERIES_KEY
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.defs.outdated_days import first_day
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY
from crossrec_pipeline_tests.growing_world import (
    ITEM_IDS,
    GrowingWorld,
    at,
    day,
    events_of,
    settle_file,
)

pytestmark = pytest.mark.xdist_group("growing")

SEQUENCES = "sessions/sequences"


def built(*numbers: int) -> set[str]:
    """Name the assets of some days."""
    return {
        f"{asset} {day(n)}" for asset in ("interactions/events", "sessions/by_day") for n in numbers
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GrowingWorld:
    world = GrowingWorld(tmp_path_factory.mktemp("growing"))
    for n in (1, 2, 5):
        world.deliver(f"{day(n)}.csv", events_of(day(n)))
    return world


def test_the_first_days_are_built_in_one_run_then_the_sessions(world: GrowingWorld):
    # Each delivery has an event after midnight. The fourth day has none: it splits no range.
    assert world.settle() == built(1, 2, 3, 4, 5, 6) | {SEQUENCES}, world.failures
    assert world.requested == [[f"{day(1)} to {day(6)}"], [SEQUENCES]]
    assert list(world.events()) == [day(1), day(2), day(3), day(5), day(6)]


def test_nothing_new_builds_nothing(world: GrowingWorld):
    assert world.settle() == set()
    assert world.said == "every day and the sessions are up to date"


def test_an_equal_file_delivered_again_builds_nothing(world: GrowingWorld):
    world.deliver(f"{day(2)}.csv", events_of(day(2)))
    assert world.settle() == set()


def test_what_was_delivered_before_comes_again_in_another_file_and_moves_nothing(
    world: GrowingWorld,
):
    before = world.days_made()
    world.deliver("again.csv", events_of(day(2)))
    # The days are judged again, and come out as they were: their sessions are left alone.
    assert world.settle() == built(2, 3)
    assert world.days_made() == before
    assert world.failures == []


def test_a_new_day_builds_that_day_and_the_sessions(world: GrowingWorld):
    before = world.days_made()
    world.deliver(f"{day(6)}.csv", events_of(day(6)))
    assert world.settle() == built(6, 7) | {SEQUENCES}
    after = world.days_made()
    assert [name for name in after if after[name] != before.get(name)] == [
        f"date={day(6)}.parquet",
        f"date={day(7)}.parquet",
    ]


def test_a_late_event_reopens_its_day_alone(world: GrowingWorld):
    before = world.events()
    world.deliver("late.csv", [("u9", ITEM_IDS[0], at(day(1), 12))])
    assert world.settle() == built(1) | {SEQUENCES}
    after = world.events()
    assert {
        name: len(frame) for name, frame in after.items() if len(frame) != len(before[name])
    } == {day(1): len(before[day(1)]) + 1}


def test_each_day_has_the_version_and_the_row_count_of_its_own_content(world: GrowingWorld):
    records = {
        record.partition_key: record.asset_materialization
        for record in world.instance.fetch_materializations(EVENTS_KEY, limit=100).records[::-1]
    }
    versions = {
        of: (made.tags or {})["dagster/data_version"] for of, made in records.items() if made
    }
    counts = {of: made.metadata["dagster/row_count"].value for of, made in records.items() if made}
    assert counts == {str(n): len(frame) for n, frame in world.events().items()} | {str(day(4)): 0}
    assert len(set(versions.values())) == len(versions)
    specs = build_definitions(world.settings).resolve_all_asset_specs()
    (code,) = (spec.code_version for spec in specs if spec.key == EVENTS_KEY)
    assert {(made.tags or {})["dagster/code_version"] for made in records.values() if made} == {
        code
    }
    assert [made.metadata["events rejected"].value for made in records.values() if made][:3] == [
        0,
        17,
        1,
    ]


def test_an_item_new_in_the_catalogue_has_the_days_judged_again(world: GrowingWorld):
    world.deliver(f"{day(8)}.csv", [*events_of(day(8)), ("u1", "Movie_New", at(day(8), 20))])
    assert world.settle() == built(8, 9) | {SEQUENCES}
    before = world.days_made()
    world.offer([*ITEM_IDS, "Movie_New"])
    assert world.settle() == built(*range(1, 10)) | {SEQUENCES}
    assert world.requested == [[f"{day(1)} to {day(9)}"], [SEQUENCES]]
    after = world.days_made()
    assert [name for name in after if after[name] != before[name]] == [f"date={day(8)}.parquet"]
    assert "Movie_New" in world.events()[day(8)]["item_id"].to_list()


def test_a_refused_day_does_not_reach_the_model_until_it_is_repaired(world: GrowingWorld):
    sessions = world.sessions().digest
    good = events_of(day(10), n_users=40)
    # 8 of 121 events: 6.6 % of the day, and fewer than 5 % of the log.
    broken = [(user, f"{item}?", time) for user, item, time in good[:8]]
    world.deliver(f"{day(10)}.csv", [*broken, *good[8:]])
    assert world.settle() == built(10, 11) - {f"sessions/by_day {day(10)}"}
    # The day that is left is asked for twice, and not again before something changes.
    assert world.requested == [[f"{day(10)} to {day(11)}"], *[[f"{day(10)} to {day(10)}"]] * 2]
    assert (
        f"1 days of the interaction log have not passed their checks ({day(10)})"
        in (world.failures[-1])
    )
    assert world.settle() == set()
    assert world.run([SEQUENCES_KEY]) == set()
    assert "have not passed their checks" in world.failures[-1]
    assert world.sessions().digest == sessions

    world.deliver(f"{day(10)}.csv", good)
    assert world.settle() == built(10, 11) | {SEQUENCES}
    assert world.failures == []
    assert world.sessions().digest != sessions


def test_a_delivery_that_cannot_be_read_keeps_no_other_from_being_built(world: GrowingWorld):
    (world.log / "broken.csv").write_text("user,article\n1,2\n")
    settle_file(world.log / "broken.csv")
    world.deliver(f"{day(12)}.csv", events_of(day(12)))
    assert world.settle() == built(12, 13) | {SEQUENCES}
    assert "broken.csv" in world.failures[0]


def test_days_before_the_first_that_was_loaded_wait_until_the_code_is_loaded_again(tmp_path: Path):
    world = GrowingWorld(tmp_path)
    world.deliver("second.csv", events_of(day(2)))
    world.run([DELIVERIES_KEY])
    loaded = build_definitions(world.settings)
    world.deliver("first.csv", events_of(day(1)))
    world.run([DELIVERIES_KEY])
    assert world.tick(loaded) == []
    assert world.said is not None
    assert f"begins on {day(1)}, before the first day that this process knows ({day(2)})" in (
        world.said
    )
    assert len(world.tick()) == 1


def test_before_anything_was_delivered_the_log_begins_today_and_nothing_is_asked_for(
    tmp_path: Path,
):
    world = GrowingWorld(tmp_path)
    assert first_day(world.settings) == datetime.now(UTC).date()
    assert world.run([DELIVERIES_KEY]) == set()
    assert str(world.log) in world.failures[0]


def test_days_are_not_asked_for_before_there_is_a_catalogue(tmp_path: Path):
    world = GrowingWorld(tmp_path)
    world.settings.warehouse_path.unlink()
    world.deliver("first.csv", events_of(day(1)))
    world.run([DELIVERIES_KEY])
    assert world.tick() == []
    assert world.said is not None
    assert "has no table catalogue.items yet" in world.said
