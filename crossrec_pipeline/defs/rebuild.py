"""From settings and an instance: what is out of date is built, layer by layer, in this process."""

import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.sources import known_version, report_sources
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.errors import CrossrecError, SettingsError
from crossrec_pipeline.settings import Settings

_PROCESS_TAG = "crossrec/process"
_MAX_WAVES = 20


@contextmanager
def _only_run(settings: Settings) -> Iterator[None]:
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
        "catalogue/staged_items": settings.warehouse_path,
        "catalogue/items": settings.warehouse_path,
        "catalogue/rejected_items": settings.warehouse_path,
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


def out_of_date(
    defs: dg.Definitions, instance: dg.DagsterInstance, settings: Settings
) -> list[dg.AssetKey]:
    """List the assets that were never built, or from other content or code than there is now."""
    graph = defs.resolve_asset_graph()
    outputs = _outputs(settings)
    dirty = []
    for key in graph.executable_asset_keys:
        event = instance.get_latest_materialization_event(key)
        materialization = event.asset_materialization if event else None
        tags = (materialization.tags or {}) if materialization else {}
        output = outputs.get(key.to_user_string())
        node = graph.get(key)
        moved = any(
            tags.get(f"dagster/input_data_version/{parent.to_user_string()}")
            != known_version(instance, parent)
            for parent in node.parent_keys
        )
        gone = output is not None and not output.exists()
        if gone or moved or tags.get("dagster/code_version") != node.code_version:
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
    """
    with _only_run(settings), dg.DagsterInstance.get() as instance:
        _bury_killed_runs(instance)
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
                raise CrossrecError(_why(result))
            built += len(wave)
        raise CrossrecError(
            "Some assets are out of date again as soon as they are built: "
            + ", ".join(key.to_user_string() for key in out_of_date(defs, instance, settings))
        )


def _why(result: dg.ExecuteInProcessResult) -> str:
    lines = []
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            text = str(error.message).strip() if error else "failed"
            lines.append(f"{event.step_key}: {text}")
    return "\n".join(lines) or "The run failed; the Dagster UI shows where."


def require_home() -> Path:
    """Return the Dagster home, which must be set.

    Raises
    ------
    SettingsError
        If it is not.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        raise SettingsError(
            "DAGSTER_HOME is not set. Use `make run`, or set it to the absolute path of a folder."
        )
    return Path(home)
