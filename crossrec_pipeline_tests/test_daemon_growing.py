"""A log that grows under a real daemon: a new day, a late event, and a backfill by hand.

One story; it takes a minute or two and is run by `make test-daemon`.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from crossrec_pipeline.defs.days import BY_DAY_KEY, DAY_KEYS
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.settings import load_settings
from crossrec_pipeline_tests.daemon_world import DaemonWorld
from crossrec_pipeline_tests.growing_world import Event, at, day, write_log
from crossrec_pipeline_tests.lineage_world import TITLES

pytestmark = [pytest.mark.daemon, pytest.mark.xdist_group("daemon_growing")]

N_ITEMS = 12


class GrowingDaemonWorld(DaemonWorld):
    """Two small catalogues, a log of some of their movies, and a daemon that watches all."""

    rivals = ()
    building = ("rebuild_what_changed", "rebuild_days")

    def __init__(self, folder: Path):
        self.visits = folder / "visits"
        gate = '{"challenger": "gru4rec"}'
        super().__init__(folder, {"CROSSREC_EVENTS": f"{self.visits}/", "CROSSREC_GATE": gate})

    def prepare(self) -> None:
        events = f"{self.visits}/"
        self.settings = load_settings(**{**dict(self.settings), "events": events})
        titles = [row[TITLES["movies"]] for row in self.delivered["movies"]]
        plain = [title for title in titles if title.isalpha() and titles.count(title) == 1]
        self.known = [f"Movie_{title}" for title in plain[:N_ITEMS]]
        for n in (1, 2, 3):
            self.visit(day(n))

    def visit(self, of: date) -> None:
        """Deliver a day: forty users look at four items each."""
        events: list[Event] = []
        for user in range(40):
            start = at(of, 8 + user % 12, user)
            for step in range(4):
                item = self.known[(user + step * step) % N_ITEMS]
                events.append((f"u{user}", item, start + timedelta(minutes=step)))
        write_log(self.visits / f"{of}.csv", events)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrowingDaemonWorld]:
    world = GrowingDaemonWorld(tmp_path_factory.mktemp("daemon_growing"))
    yield world
    world.stop()


def test_a_new_day_is_built_and_then_what_is_made_of_it(world: GrowingDaemonWorld):
    world.visit(day(4))
    built = world.settle()
    assert {"interactions/deliveries", "sessions/sequences", "models/champion"} <= built
    assert world.partitions_built == {str(day(4))}


def test_days_are_built_again_by_hand_in_one_run_and_nothing_follows(world: GrowingDaemonWorld):
    (run,) = world.backfill(DAY_KEYS, [str(day(n)) for n in (1, 2, 3)])
    built = world.instance.get_records_for_run(
        run.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    days = [str(day(n)) for n in (1, 2, 3)]
    assert [(entry.asset_key, entry.partition_key) for entry in built] == [
        *((EVENTS_KEY, of) for of in days),
        *((BY_DAY_KEY, of) for of in days),
    ]
    assert world.settle() == set()
