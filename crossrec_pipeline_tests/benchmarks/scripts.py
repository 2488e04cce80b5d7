"""Runs benchmarks as their users do."""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"


def run_script(name: str, *options: object) -> subprocess.CompletedProcess[str]:
    """Run ``benchmarks/<name>`` with options in a process of its own, and return what it told."""
    return subprocess.run(
        [sys.executable, str(FOLDER / name), *map(str, options)],
        env={**os.environ, "PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
