"""Which change rebuilds what, under a real daemon with real runs.

The same matrix as test_lineage.py, as one story; it takes minutes and is run by `make test-daemon`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from crossrec_pipeline.settings import project_root
from crossrec_pipeline_tests.lineage_world import (
    NULL_ROW,
    STREET,
    TAKEN_IN,
    SmallCatalogues,
    a_third_of_the_rows_lost,
    as_is,
    blanks_around_titles,
    every_twentieth_title_missing,
    one_genre_edited,
    one_title_missing,
)

pytestmark = [pytest.mark.daemon, pytest.mark.xdist_group("daemon")]

_PATIENCE_SECONDS = 240.0
_WATCHING, _BUILDING = "watch_sources", "rebuild_what_changed"
_UNFINISHED = dg.RunsFilter(
    statuses=[
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ]
)


class DaemonWorld(SmallCatalogues):
    """Two small catalogues in a folder, and a daemon that watches them."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        home = folder / "home"
        home.mkdir()
        shutil.copy(project_root() / "dagster_home" / "dagster.yaml", home)
        simulation, training = self.settings.simulation, self.settings.training
        self._environment = {
            **os.environ,
            "DAGSTER_HOME": str(home),
            "PYTHONWARNINGS": "ignore",
            "CROSSREC_DATA_DIR": str(self.settings.data_dir),
            "CROSSREC_DOMAINS": ",".join(self.settings.domains),
            "CROSSREC_SOURCES": json.dumps(self.settings.sources),
            "CROSSREC_SIMULATION": simulation.model_dump_json(),
            "CROSSREC_TRAINING": training.model_dump_json(),
            "CROSSREC_EVALUATION": self.settings.evaluation.model_dump_json(),
            "CROSSREC_POLL_SECONDS": "1",
        }
        self.log = folder / "daemon.log"
        subprocess.run(
            [sys.executable, "-m", "crossrec_pipeline.cli", "run"],
            env=self._environment,
            check=True,
            capture_output=True,
        )
        self.instance = dg.DagsterInstance.from_config(str(home))
        with self.log.open("wb") as log:
            self._daemon = subprocess.Popen(
                [
                    Path(sys.executable).with_name("dagster-daemon"),
                    *("run", "-m", "crossrec_pipeline.definitions"),
                ],
                env=self._environment,
                cwd=project_root(),
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """Stop the daemon and close the instance."""
        self._daemon.send_signal(signal.SIGINT)
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
        self.instance.dispose()

    def settle(self) -> set[str]:
        """Wait until the daemon has looked and nothing more runs; say what was materialised."""
        started = time.time()
        self._wait_for_tick(_WATCHING, started)
        quiet_since = time.time()
        while True:
            self._wait_for_tick(_BUILDING, quiet_since)
            # A change may be asked for one tick after it is seen: two quiet ticks are rest.
            self._wait_for_tick(_BUILDING, time.time())
            if not self.instance.get_runs_count(_UNFINISHED):
                ended = [record.end_time or 0.0 for record in self._records(started)]
                if max(ended, default=0.0) < quiet_since:
                    break
            quiet_since = time.time()
        return {
            key.to_user_string()
            for record in self._records(started)
            for entry in self.instance.get_records_for_run(
                record.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
            ).records
            if (key := entry.asset_key)
        }

    def failed_checks(self) -> set[str]:
        """Name the checks of the last run that failed."""
        record = self.instance.get_run_records(limit=1)[0]
        entries = self.instance.get_records_for_run(
            record.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
        events = [entry.event_log_entry.dagster_event for entry in entries]
        return {
            event.asset_check_evaluation_data.check_name
            for event in events
            if event and not event.asset_check_evaluation_data.passed
        }

    def _records(self, since: float) -> list[dg.RunRecord]:
        return [
            record
            for record in self.instance.get_run_records()
            if record.create_timestamp.timestamp() >= since
        ]

    def _wait_for_tick(self, sensor: str, after: float) -> None:
        """Wait for a tick of a sensor that began after a time and is finished."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < give_up:
            assert self._daemon.poll() is None, self.log.read_text()[-4000:]
            for state in self.instance.all_instigator_state():
                if state.name != sensor:
                    continue
                ticks = self.instance.get_ticks(
                    state.instigator_origin_id, state.selector_id, after=after
                )
                if any(tick.end_timestamp is not None for tick in ticks):
                    return
            time.sleep(0.5)
        raise AssertionError(f"no tick of {sensor}:\n{self.log.read_text()[-4000:]}")


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
