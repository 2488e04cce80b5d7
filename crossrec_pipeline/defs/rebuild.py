"""From settings and an instance: what is out of date is built, layer by layer, in this process."""

import fcntl
import os
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import dagster as dg

from crossrec_pipeline.atomic import remove_leftovers
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.controls import run_controls
from crossrec_pipeline.defs.days import DAY_KEYS, range_tags
from crossrec_pipeline.defs.enrichments import ENRICHMENTS_KEY, items_are_left
from crossrec_pipeline.defs.home import open_instance, prepare_home
from crossrec_pipeline.defs.models import REPORT_KEY
from crossrec_pipeline.defs.narration import NARRATOR, why
from crossrec_pipeline.defs.out_of_date import out_of_date, output_paths
from crossrec_pipeline.defs.outdated_days import day_ranges, log_days, outdated_days
from crossrec_pipeline.defs.sources import report_sources
from crossrec_pipeline.defs.tuning import search_configuration, tune_gru4rec
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.interactions.deliveries import is_growing
from crossrec_pipeline.outputs import all_outputs, fetch_outputs
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import Settings

_PROCESS_TAG = "crossrec/process"
_MAX_WAVES = 20
_AT_TERMINAL = {"loggers": {"console": {}}}


@contextmanager
def only_run(settings: Settings) -> Iterator[None]:
    """Hold the data directory, so that two runs at once do not tread on each other."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path = settings.data_dir / ".run.lock"
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise CrossrecError(
                f"Another crossrec run (process {handle.read().strip() or 'unknown'}) is using "
                f"{settings.data_dir}. Wait for it, or set CROSSREC_DATA_DIR to another folder."
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _bury_killed_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs of ours whose process was killed as failed, and free their places in the pools."""
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(unfinished):
        if _PROCESS_TAG in run.tags:
            # We hold the lock: whoever started this run is gone.
            instance.report_run_failed(run, "The process that ran it was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _clear_up(settings: Settings) -> None:
    """Delete what killed runs left half-written, and put back what they were replacing."""
    outputs = output_paths(settings).values()
    for folder in {*outputs, *(output.parent for output in outputs)}:
        remove_leftovers(folder)


def _next_wave(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    settings: Settings,
    dirty: list[dg.AssetKey],
) -> list[dg.AssetKey]:
    """Choose what to build now: all of it the first time, then only what nothing dirty feeds.

    What lies further down is looked at again afterwards: equal content stops a change there. Of a
    log that grows, the days are known only once its deliveries are read.
    """
    graph = defs.resolve_asset_graph()
    if not is_growing(settings.events) and not any(
        instance.get_latest_materialization_event(key) for key in dirty
    ):
        return dirty
    return [key for key in dirty if not graph.get_ancestor_asset_keys(key) & set(dirty)]


def rebuild(settings: Settings) -> int:
    """Build everything that is out of date, and say how many assets that was.

    Raises
    ------
    CrossrecError
        If a source cannot be read, a check refuses the data, or an asset fails; what was
        published before stays as it was.
    KeyboardInterrupt
        If a person stopped it.
    """
    with only_run(settings), open_instance(prepare_home()) as instance:
        _bury_killed_runs(instance)
        _clear_up(settings)
        fetch_outputs(settings, all_outputs(settings), _say)
        report_sources(settings, instance)
        return _build(instance, settings, owed=_owed(settings))


def _owed(settings: Settings) -> set[dg.AssetKey]:
    """Name what is up to date, but was broken off by its budget: each run goes on with it, once."""
    return {ENRICHMENTS_KEY} if items_are_left(settings) else set()


def _build(
    instance: dg.DagsterInstance, settings: Settings, owed: Set[dg.AssetKey] = frozenset()
) -> int:
    """Build what is owed, and wave after wave until nothing is out of date; count the assets."""
    built = 0
    for _ in range(_MAX_WAVES):
        # Defined anew: deliveries that were read may have brought earlier days.
        defs = _narrated(settings)
        dirty = out_of_date(defs, instance, settings)
        dirty += list(owed - set(dirty))
        if not dirty:
            return built
        wave = _next_wave(defs, instance, settings, dirty)
        n_wave, owed = len(wave), owed - set(wave)
        job = defs.resolve_implicit_global_asset_job_def()
        if is_growing(settings.events) and set(DAY_KEYS).intersection(wave):
            _build_days(job, instance, settings)
            wave = [key for key in wave if key not in DAY_KEYS]
        if wave:
            _execute(job, instance, asset_selection=wave)
        built += n_wave
    raise CrossrecError(
        "Some assets are out of date again as soon as they are built: "
        + ", ".join(
            key.to_user_string() for key in out_of_date(_narrated(settings), instance, settings)
        )
    )


def _build_days(job: dg.JobDefinition, instance: dg.DagsterInstance, settings: Settings) -> None:
    """Build the days of a growing log that are out of date, each range of them in one run."""
    items = Warehouse(path=str(settings.warehouse_path)).read("catalogue.items")
    days = outdated_days(settings, items)
    for first, last in day_ranges(days, log_days(settings)):
        _execute(job, instance, asset_selection=DAY_KEYS, tags=range_tags(first, last))


def search(settings: Settings, n_trials: int) -> None:
    """Search for GRU4Rec's configuration in this process.

    Raises
    ------
    CrossrecError
        If there are no sessions yet, or no trial was completed.
    KeyboardInterrupt
        If a person stopped it; the next call goes on.
    """
    with only_run(settings), open_instance(prepare_home()) as instance:
        _bury_killed_runs(instance)
        job = _narrated(settings).resolve_job_def(tune_gru4rec.name)
        ops = {search_configuration.name: {"config": {"trials": n_trials}}}
        _execute(job, instance, ops=ops)


def rebuild_with_controls(settings: Settings) -> int:
    """Build everything that is out of date, train the controls, and make the report with them.

    Returns
    -------
    int
        How many assets were built, the report included.

    Raises
    ------
    CrossrecError
        As `rebuild` does, or if a control cannot be trained.
    KeyboardInterrupt
        If a person stopped it; the next call goes on.
    """
    n_built = rebuild(settings)
    with only_run(settings), open_instance(prepare_home()) as instance:
        defs = _narrated(settings)
        _execute(defs.resolve_job_def(run_controls.name), instance)
        # Controls make nothing out of date: the report is asked for by name.
        assets_job = defs.resolve_implicit_global_asset_job_def()
        _execute(assets_job, instance, asset_selection=[REPORT_KEY])
        return n_built + 1 + _build(instance, settings)


def _execute(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    asset_selection: Sequence[dg.AssetKey] | None = None,
    ops: Mapping[str, Any] = MappingProxyType({}),
    tags: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run a job, or some assets of it, in this process.

    Raises
    ------
    CrossrecError
        If a step fails.
    KeyboardInterrupt
        If a person stopped it.
    """
    result = job.execute_in_process(
        asset_selection=asset_selection,
        instance=instance,
        raise_on_error=False,
        run_config={**_AT_TERMINAL, "ops": dict(ops)},
        tags={_PROCESS_TAG: str(os.getpid()), **tags},
    )
    if not result.success:
        raise CrossrecError(why(result))


def _narrated(settings: Settings) -> dg.Definitions:
    return dg.Definitions.merge(
        build_definitions(settings), dg.Definitions(loggers={"console": NARRATOR})
    )
