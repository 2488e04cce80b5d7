"""From settings and an instance: what is out of date is built, layer by layer, in this process."""

import errno
import fcntl
import functools
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from crossrec_pipeline.atomic import remove_leftovers
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.models import CHAMPION_KEY, MODEL_KINDS, model_key
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY
from crossrec_pipeline.defs.sources import report_sources
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.errors import BundleError, CrossrecError, SessionsError, SettingsError
from crossrec_pipeline.models.registry import champion_path, latest_bundle, verify_bundle
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings

_PROCESS_TAG = "crossrec/process"
_VERSION = "dagster/data_version"
_MAX_WAVES = 20
_INTERRUPTS = (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)
_REFUSED = "DagsterAssetCheckFailedError"
_SEE_CHECK = "the check failed on what is listed above, so nothing that depends on it was built."
_OUR_ERROR = re.compile(r"^crossrec_pipeline\.errors\.\w+: ")
_DISK_FULL = os.strerror(errno.ENOSPC)
_MAKE_ROOM = "The disk is full; what was published before is as it was. Make room and run again."


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


def _bury_killed_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs of ours whose process was killed as failed, and free their places in the pools."""
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(unfinished):
        if _PROCESS_TAG in run.tags:
            # We hold the lock: whoever started this run is gone.
            instance.report_run_failed(run, "The process that ran it was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _outputs(settings: Settings) -> dict[str, Path]:
    """Where each asset's output lies: a folder deleted by hand must be built again."""
    evaluation, models = settings.evaluation_dir, settings.models_dir
    return {
        "interactions/events": settings.events_dir,
        "sessions/sequences": settings.sessions_dir,
        "models/popularity": models / "popularity",
        "models/markov": models / "markov",
        "models/gru4rec": models / "gru4rec",
        "models/champion": models / "champion.json",
        "evaluation/ranks": evaluation / "ranks",
        "evaluation/report": evaluation / "report.html",
        "exploration/charts": settings.data_dir / "exploration" / "charts.html",
    } | {
        f"catalogue/raw_{spec.name}": settings.raw_dir / f"{spec.name}.parquet"
        for spec in load_domains(settings.domains)
    }


_TABLES = {
    "catalogue/staged_items": "staging.items",
    "catalogue/items": "catalogue.items",
    "catalogue/rejected_items": "catalogue.rejected_items",
}


def _is_there(key: dg.AssetKey, settings: Settings) -> bool:
    name = key.to_user_string()
    if name in _TABLES:
        return Warehouse(path=str(settings.warehouse_path)).exists(_TABLES[name])
    output = _outputs(settings).get(name)
    return output is None or output.exists()


def _has_passed(
    check: dg.AssetCheckKey, instance: dg.DagsterInstance, built_at: float | None
) -> bool:
    """Say whether a blocking check has passed since its asset was built."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])
    record = records.get(check)
    if record is None or record.event is None or record.evaluation is None or built_at is None:
        return False
    evaluation = record.evaluation
    held = evaluation.passed or evaluation.severity == dg.AssetCheckSeverity.WARN
    return held and record.event.timestamp >= built_at


def _clear_up(settings: Settings) -> None:
    """Delete what killed runs left half-written, and put back what they were replacing."""
    outputs = _outputs(settings).values()
    for folder in {*outputs, *(output.parent for output in outputs)}:
        remove_leftovers(folder)


def _is_whole(key: dg.AssetKey, settings: Settings, version: str | None) -> bool:
    """Say whether the files that other assets and the recommender open are what was written.

    A copy that went wrong or a disk that lost a block would otherwise be met by every later run.
    The champion may be another bundle than the newest: a person may have promoted it.
    """
    models = settings.models_dir
    try:
        if key == SEQUENCES_KEY:
            SessionDataset.open(settings.sessions_dir)
        for kind in MODEL_KINDS:
            if key == model_key(kind):
                bundle = latest_bundle(models, kind)
                return bundle is not None and verify_bundle(bundle.path).data_version == version
        if key == CHAMPION_KEY:
            served = champion_path(models)
            if served is None:
                return False
            verify_bundle(served)
    except (BundleError, SessionsError):
        return False
    return True


def out_of_date(
    defs: dg.Definitions, instance: dg.DagsterInstance, settings: Settings
) -> list[dg.AssetKey]:
    """List the assets that were never built, were damaged, or have other inputs or code by now.

    What a check refused is out of date too: the data or the bounds may be others by now, and
    nothing downstream may be built of it.
    """
    graph = defs.resolve_asset_graph()

    @functools.cache
    def built(key: dg.AssetKey) -> dg.EventLogEntry | None:
        return instance.get_latest_materialization_event(key)

    def tags(key: dg.AssetKey) -> Mapping[str, str]:
        event = built(key)
        materialization = event.asset_materialization if event else None
        return (materialization.tags if materialization else None) or {}

    def refused(key: dg.AssetKey) -> bool:
        event = built(key)
        return not all(
            _has_passed(check, instance, event.timestamp if event else None)
            for check in graph.get_check_keys_for_assets({key})
            if graph.get(check).blocking
        )

    dirty = []
    for key in graph.executable_asset_keys:
        node = graph.get(key)
        version = tags(key).get(_VERSION)
        moved = any(
            tags(key).get(f"dagster/input_data_version/{parent.to_user_string()}")
            != tags(parent).get(_VERSION)
            for parent in node.parent_keys
        )
        recoded = tags(key).get("dagster/code_version") != node.code_version
        if (
            moved
            or recoded
            or refused(key)
            or not _is_there(key, settings)
            or not _is_whole(key, settings, version)
        ):
            dirty.append(key)
    return dirty


def _next_wave(
    defs: dg.Definitions, instance: dg.DagsterInstance, dirty: list[dg.AssetKey]
) -> list[dg.AssetKey]:
    """Choose what to build now: all of it the first time, then only what nothing dirty feeds.

    What lies further down is looked at again afterwards: equal content stops a change there.
    """
    graph = defs.resolve_asset_graph()
    if not any(instance.get_latest_materialization_event(key) for key in dirty):
        return dirty
    return [key for key in dirty if not graph.get_ancestor_asset_keys(key) & set(dirty)]


class _Narrator(logging.Handler):
    """Tells a person in short lines what a run is doing."""

    def emit(self, record: logging.LogRecord) -> None:
        event: dg.DagsterEvent | None = getattr(record, "dagster_event", None)
        if event is None:
            if record.levelno >= logging.INFO:
                self._say(f"    {getattr(record, 'dagster_meta', {}).get('orig_message', '')}")
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key:
            rows = event.step_materialization_data.materialization.metadata.get("dagster/row_count")
            size = f"  {rows.value:,} rows" if rows is not None else ""
            self._say(f"  ✓ {event.asset_key.to_user_string()}{size}")
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                self._say(f"  ✗ check {check.check_name}: {check.description or 'failed'}")
                if (results := check.metadata.get("results")) is not None:
                    self._say(str(results.value))

    @staticmethod
    def _say(line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _narrating_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("crossrec", level=logging.DEBUG)
    logger.addHandler(_Narrator())
    return logger


NARRATOR = dg.LoggerDefinition(
    _narrating_logger, description="Short lines for a person at a terminal."
)


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
    with only_run(settings), dg.DagsterInstance.get() as instance:
        _bury_killed_runs(instance)
        _clear_up(settings)
        report_sources(settings, instance)
        defs = dg.Definitions.merge(
            build_definitions(settings), dg.Definitions(loggers={"console": NARRATOR})
        )
        job = defs.resolve_implicit_global_asset_job_def()
        built = 0
        for _ in range(_MAX_WAVES):
            dirty = out_of_date(defs, instance, settings)
            if not dirty:
                return built
            wave = _next_wave(defs, instance, dirty)
            result = job.execute_in_process(
                asset_selection=wave,
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {}}},
                tags={_PROCESS_TAG: str(os.getpid())},
            )
            if not result.success:
                raise CrossrecError(_why(_failed_steps(result)))
            built += len(wave)
        raise CrossrecError(
            "Some assets are out of date again as soon as they are built: "
            + ", ".join(key.to_user_string() for key in out_of_date(defs, instance, settings))
        )


@dataclass(frozen=True)
class _FailedStep:
    """A step that failed, and the first cause: the one that a person can act on."""

    name: str
    error_class: str
    message: str

    def in_words(self) -> str:
        if self.error_class == _REFUSED:
            *_, checks = self.message.partition("\n")
            return f"{' '.join(checks.split())}: {_SEE_CHECK}"
        text = f"{self.name.replace('__', '/')}: {_OUR_ERROR.sub('', self.message)}"
        return f"{text}\n{_MAKE_ROOM}" if _DISK_FULL in text else text


def _failed_steps(result: dg.ExecuteInProcessResult) -> list[_FailedStep]:
    steps = []
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            name, message = event.step_key or "", str(error.message).strip() if error else "failed"
            steps.append(_FailedStep(name, (error and error.cls_name) or "", message))
    return steps


def _why(failed: list[_FailedStep]) -> str:
    """Put the reasons of a failed run into words.

    Raises
    ------
    KeyboardInterrupt
        If the reason is Ctrl-C: Dagster takes the signal, and reports a failed step.
    """
    for step in failed:
        if step.error_class in _INTERRUPTS:
            raise KeyboardInterrupt
    lines = [step.in_words() for step in failed]
    return "\n".join(lines) or "The run failed; the Dagster UI shows where."


def require_home() -> Path:
    """Return the Dagster home, which must be set.

    Raises
    ------
    SettingsError
        If it is not, or is no absolute path.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home or not Path(home).is_absolute():
        raise SettingsError(
            f"DAGSTER_HOME is {home or 'not set'}. Use `make run`, or set it to the absolute path "
            "of a folder."
        )
    return Path(home)
