import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "neighbours.py"


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Write sessions of four clicks around a ring of ten items."""
    rows = [
        (session, (session + click) % 10, session * 4 + click)
        for session in range(40)
        for click in range(4)
    ]
    path = tmp_path / "train.parquet"
    pl.DataFrame(rows, schema=["SessionId", "ItemId", "Time"], orient="row").write_parquet(path)
    return path


def run(*options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, options)],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_each_kind_ranks_the_last_sessions_of_train(train: Path) -> None:
    result = run("--train", train, "--validation-share", 0.25, "--set", "k=3")
    assert result.returncode == 0, result.stderr
    head, *lines = result.stdout.splitlines()
    assert head == "30 sessions, 30 predictions"
    assert [line.split()[0] for line in lines] == ["sknn", "vsknn", "vmis", "stan", "vstan"]
    # There are ten items in all.
    assert all("Recall@20 1.0000" in line and "'k': 3" in line for line in lines)


def test_option_that_a_kind_does_not_have_is_named(train: Path) -> None:
    result = run("--train", train, "--test", train, "--kinds", "sknn", "--set", "idf_weight=1")
    assert result.returncode == 1
    assert "SKNNConfig cannot take idf_weight=1" in result.stderr
    assert "Traceback" not in result.stderr


def test_either_test_or_a_share_of_train_is_ranked(train: Path) -> None:
    result = run("--train", train)
    assert result.returncode == 2
    assert "either --test FILE or --validation-share SHARE" in result.stderr
