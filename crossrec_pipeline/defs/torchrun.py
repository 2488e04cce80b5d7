"""A configuration in; torchrun started with several processes, and the bundle they made out."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from crossrec_pipeline import errors
from crossrec_pipeline.errors import SettingsError, TrainingError
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.registry import Bundle, open_bundle
from crossrec_pipeline.settings import Settings, TrainingSettings

_LAUNCHER = "crossrec_pipeline.defs.launcher"
_WORKER = "crossrec_pipeline.defs.training_process"
_SECONDS_TO_LEAVE = 45.0
"""After an interruption; torchrun ends its processes after 30."""


def train_in_processes(
    context: dg.AssetExecutionContext,
    config: GRU4RecConfig,
    settings: Settings,
    training: TrainingSettings,
    checkpoints_dir: Path,
    content: Path | None,
    inputs: Mapping[str, str],
) -> Bundle:
    """Train GRU4Rec in `training.processes` processes of this machine, through Dagster Pipes.

    With several `training.nodes` this machine is the first; on each other one torchrun is started
    with its ``--node-rank``, and all must find the sessions under the same path (docs/model.md).

    Raises
    ------
    SettingsError
        If there are several nodes, and no place to meet.
    TrainingError
        If one of them fails: with the error of the one that failed first.
    """
    client = dg.PipesSubprocessClient(termination_timeout_seconds=_SECONDS_TO_LEAVE)
    with tempfile.TemporaryDirectory() as scratch:
        # Where torchrun leaves the error of the process that failed first.
        error_file = Path(scratch) / "error.json"
        try:
            done = client.run(
                context=context,
                command=[
                    *(sys.executable, "-m", _LAUNCHER, str(_restarts(training))),
                    *_meeting(training),
                    *("--nproc-per-node", str(training.processes), "-m", _WORKER),
                    *("--sessions", str(settings.sessions_dir)),
                    *("--models", str(settings.models_dir)),
                    *("--config", config.model_dump_json()),
                    *(("--content", str(content)) if content else ()),
                    *("--inputs", json.dumps(dict(inputs))),
                    *("--checkpoints", str(checkpoints_dir)),
                    *("--checkpoint-minutes", str(training.checkpoint_minutes)),
                    *(("--checkpoint-store", settings.store) if settings.store else ()),
                ],
                env={
                    "TORCHELASTIC_ERROR_FILE": str(error_file),
                    # Steps are too small for more; torchrun would choose it too, and say so.
                    "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
                },
            )
        except DagsterPipesExecutionError as error:
            raise TrainingError(_first_error(error_file) or str(error)) from error
    return open_bundle(Path(done.get_custom_messages()[0]["bundle"]))


def _restarts(training: TrainingSettings) -> int:
    # Of several nodes each would have to start again at once: the step is repeated instead.
    return training.max_restarts if training.nodes == 1 else 0


def _meeting(training: TrainingSettings) -> list[str]:
    """Return torchrun's arguments that say where its processes meet."""
    if training.nodes == 1:
        return ["--standalone"]
    host, _, port = (training.rendezvous or "").rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(
            f"CROSSREC_TRAINING__NODES={training.nodes} machines meet at a port of the first one, "
            f"and CROSSREC_TRAINING__RENDEZVOUS={training.rendezvous!r} names none. Give this "
            "machine's address as the others reach it, such as 10.0.0.5:29500."
        )
    return [
        *("--nnodes", str(training.nodes), "--node-rank", "0"),
        *("--master-addr", host, "--master-port", port),
    ]


def _first_error(path: Path) -> str:
    """Read the message of the process that failed first; empty where it left none."""
    if not path.exists():
        return ""
    message = str(json.loads(path.read_text())["message"]["message"])
    kind, _, text = message.partition(": ")
    return text if hasattr(errors, kind) else f"GRU4Rec: a process failed with {message}"
