"""A real daemon that watches two small catalogues, and what it has made of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.settings import project_root
from crossrec_pipeline_tests.lineage_world import SmallCatalogues

_PATIENCE_SECONDS = 240.0
_WATCHING = "watch_sources"
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
    """Two small catalogues in a folder, and a daemon that watches them.

    Parameters
    ----------
    folder
        Holds all of it.
    more_settings
        Further variables of the daemon's environment.
    """

    building: tuple[str, ...] = ("rebuild_what_changed",)
    """The sensors that ask for runs."""
    partitions_built: frozenset[str] | set[str] = frozenset()
    """Those of the last `settle`."""

    def __init__(self, folder: Path, more_settings: Mapping[str, str] = MappingProxyType({})):
        super().__init__(folder)
        self.prepare()
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
            "CROSSREC_CONTENT": self.settings.content.model_dump_json(),
            "CROSSREC_POLL_SECONDS": "1",
            **more_settings,
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

    def prepare(self) -> None:
        """Lay out what the first build needs besides the catalogues: nothing, here."""

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
            # A change may be asked for one tick after it is seen: two quiet ticks are rest.
            for sensor in self.building * 2:
                self._wait_for_tick(sensor, max(quiet_since, time.time()))
            if not self.instance.get_runs_count(_UNFINISHED):
                ended = [record.end_time or 0.0 for record in self._records(started)]
                if max(ended, default=0.0) < quiet_since:
                    break
            quiet_since = time.time()
        entries = [
            entry
            for record in self._records(started)
            for entry in self.instance.get_records_for_run(
                record.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
            ).records
        ]
        self.partitions_built = {entry.partition_key for entry in entries if entry.partition_key}
        return {key.to_user_string() for entry in entries if (key := entry.asset_key)}

    def backfill(
        self, keys: Sequence[dg.AssetKey], partitions: Sequence[str]
    ) -> list[dg.RunRecord]:
        """Have the daemon build partitions, as the UI does; return the runs once all ended."""
        defs = build_definitions(self.settings)
        backfill = PartitionBackfill.from_asset_partitions(
            backfill_id="by_hand",
            asset_graph=defs.resolve_asset_graph(),
            partition_names=partitions,
            asset_selection=keys,
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=self.instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
        self.instance.add_backfill(backfill)
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while (
            state := self.instance.get_backfill("by_hand")
        ) and state.status == BulkActionStatus.REQUESTED:
            assert time.monotonic() < give_up, self.log.read_text()[-4000:]
            time.sleep(0.5)
        assert state is not None
        assert state.status == BulkActionStatus.COMPLETED_SUCCESS, state.error
        return list(
            self.instance.get_run_records(dg.RunsFilter(tags={"dagster/backfill": "by_hand"}))
        )

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
