"""Dagster's home: where it remembers what was built. ``python -m`` of this module sets it up."""

import os
import shutil
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.settings import project_root

_CONFIGURATION = "dagster.yaml"


def prepare_home() -> Path:
    """Make the Dagster home that the environment names, and give it the project's configuration.

    Without one, Dagster runs with its defaults: telemetry on, no limits on runs at once.

    Raises
    ------
    SettingsError
        If ``DAGSTER_HOME`` is not set, or is no absolute path.
    """
    name = os.environ.get("DAGSTER_HOME")
    if not name or not Path(name).is_absolute():
        raise SettingsError(
            f"DAGSTER_HOME is {name or 'not set'}. Use `make run`, or set it to the absolute path "
            "of a folder."
        )
    home = Path(name)
    home.mkdir(parents=True, exist_ok=True)
    ours = project_root() / "dagster_home" / _CONFIGURATION
    if not (home / _CONFIGURATION).exists() and ours.exists():
        shutil.copy(ours, home)
    return home


def open_instance(home: Path) -> dg.DagsterInstance:
    """Open the home for a run in this process, whose output goes to the terminal alone.

    Dagster would also copy it to files by processes of its own, which print tracebacks at Ctrl-C.
    """
    quiet = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(str(home), overrides={"compute_logs": quiet})
    )


if __name__ == "__main__":
    open_instance(prepare_home()).dispose()
