"""Many days of a growing log in one run: killed, gone on with, and compared with the whole log."""

import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.days import BY_DAY_KEY
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY
from crossrec_pipeline.settings import project_root
from crossrec_pipeline_tests.growing_world import (
    ITEM_IDS,
    Event,
    GrowingWorld,
    at,
    day,
    write_log,
)

pytestmark = pytest.mark.xdist_group("growing")

N_DAYS = 5

KILLED_AFTER_TWO_DAYS = """
import itertools, os, signal, sys
from pathlib import Path
from crossrec_pipeline.defs import days
from crossrec_pipeline_tests.growing_world import GrowingWorld
publish_day, calls = days.publish_day, itertools.count(1)
def killed(*arguments):
    if next(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return publish_day(*arguments)
days.publish_day = killed
GrowingWorld(Path(sys.argv[1])).settle()
"""


def deliveries() -> dict[str, list[Event]]:
    """Draw a delivery a day: sessions over midnight, ties, repeats, and events that come late."""
    draw = random.Random(7)
    events: dict[str, list[Event]] = {}
    late: list[Event] = []
    for n in range(1, N_DAYS + 1):
        made: list[Event] = []
        for user in range(12):
            time = at(day(n), draw.choice([9, 23]), draw.randrange(60))
            for _ in range(6):
                made.append((f"u{user}", draw.choice(ITEM_IDS), time))
                time += timedelta(minutes=draw.choice([0, 0, 7, 14, 29, 31]))
        draw.shuffle(made)
        # Of what is not late, some comes again the day after.
        events[f"{day(n)}.csv"] = [*late, *made[6:]]
        late = [*made[:6], *made[10:13]]
    return events


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> GrowingWorld:
    world = GrowingWorld(tmp_path_factory.mktemp("undisturbed"))
    for name, events in deliveries().items():
        world.deliver(name, events)
    world.settle()
    assert world.failures == []
    return world


def test_a_killed_backfill_has_lost_one_day_and_goes_on(tmp_path: Path, undisturbed: GrowingWorld):
    for name, events in deliveries().items():
        write_log(tmp_path / "log" / name, events)
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_AFTER_TWO_DAYS, str(tmp_path)],
        cwd=project_root(),
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]

    world = GrowingWorld(tmp_path)
    finished = {str(day(1)), str(day(2))}
    assert set(world.instance.get_materialized_partitions(EVENTS_KEY)) == finished
    written = {n: path.stat().st_mtime_ns for n, path in world.event_files().items()}
    assert list(written) == [day(1), day(2)]

    assert world.tick() == []
    assert world.said is not None
    assert world.said.startswith("waits for run ")
    # As the daemon does with a run whose process is gone.
    (run,) = world.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    world.instance.report_run_failed(run)
    world.settle()
    assert world.failures == []
    assert {n: world.event_files()[n].stat().st_mtime_ns for n in written} == written
    assert world.sessions().digest == undisturbed.sessions().digest
    assert {n: frame.to_dicts() for n, frame in world.events().items()} == {
        n: frame.to_dicts() for n, frame in undisturbed.events().items()
    }


def test_days_one_after_the_other_give_the_sessions_of_days_together(
    tmp_path: Path, undisturbed: GrowingWorld
):
    world = GrowingWorld(tmp_path)
    for name, events in reversed(deliveries().items()):
        world.deliver(name, events)
        world.run([dg.AssetKey(["interactions", "deliveries"])])
    world.settle()
    assert world.sessions().digest == undisturbed.sessions().digest


def test_the_whole_log_in_one_file_gives_the_same_sessions(
    tmp_path: Path, undisturbed: GrowingWorld
):
    log = tmp_path / "whole.csv"
    write_log(log, [event for events in deliveries().values() for event in events])
    world = GrowingWorld(tmp_path, events=str(log), quality={"max_rejected_events_share": 0.5})
    ran = world.run([EVENTS_KEY, SEQUENCES_KEY])
    assert ran == {"interactions/events", "sessions/sequences"}, world.failures
    assert world.sessions().digest == undisturbed.sessions().digest
    assert world.sessions().train.n_sessions > 0


def test_a_window_uses_the_last_days_alone(tmp_path: Path):
    world = GrowingWorld(tmp_path, log={"window_days": 3})
    for name, events in deliveries().items():
        world.deliver(name, events)
    world.settle()
    starts = [world.sessions().train.start_us.min(), world.sessions().test.start_us.max()]
    first = round(at(day(N_DAYS - 1), 0).timestamp() * 1e6)
    # The last day is the sixth: sessions of the fifth go on over midnight.
    assert list(world.events())[-1] == day(N_DAYS + 1)
    assert starts[0] >= first


def test_days_before_the_first_are_left_out(tmp_path: Path):
    world = GrowingWorld(tmp_path, log={"first_day": str(day(3))})
    for name, events in deliveries().items():
        world.deliver(name, events)
    world.settle()
    assert list(world.events()) == [day(n) for n in range(3, N_DAYS + 2)]
    partitions = build_definitions(world.settings).resolve_asset_graph().get(BY_DAY_KEY)
    assert partitions.partitions_def is not None
    assert partitions.partitions_def.get_first_partition_key() == str(day(3))


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_every_engine_gives_the_same_sessions(
    tmp_path: Path, undisturbed: GrowingWorld, engine: str
):
    sessions = {**undisturbed.settings.sessions.model_dump(), "engine": engine}
    world = GrowingWorld(tmp_path, sessions=sessions)
    for name, events in deliveries().items():
        world.deliver(name, events)
    world.settle()
    assert world.failures == []
    assert world.sessions().digest == undisturbed.sessions().digest
