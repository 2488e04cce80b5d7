import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gru4rec.py"

# Knows the answer: gives every prediction of test rank 1, a chunk an epoch.
PEER = """
import numpy as np
import polars as pl

def train_and_rank(task, done):
    train, test = pl.read_parquet(task.train), pl.read_parquet(task.test)
    done("prepared")
    for _ in range(task.epochs):
        sum(range(1_000_000))
        done("trained", train.height - train["SessionId"].n_unique())
    n = test.height - test["SessionId"].n_unique()
    done("ranked", n, np.full(n, int(task.options["rank"])))
"""


def clicks(n_sessions: int, first: int = 0) -> pl.DataFrame:
    """Sessions of four clicks around a ring of ten items."""
    rows = [
        (session, (session + click) % 10, session * 4 + click)
        for session in range(first, first + n_sessions)
        for click in range(4)
    ]
    return pl.DataFrame(rows, schema=["SessionId", "ItemId", "Time"], orient="row")


def run(*options: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, options)],
        env={**os.environ, "PYTHONPATH": str(path or "")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_trains_and_ranks_beside_another_implementation(tmp_path: Path):
    clicks(40).write_parquet(tmp_path / "train.parquet")
    stranger = pl.DataFrame({"SessionId": [50, 50], "ItemId": [3, 999], "Time": [900, 901]})
    pl.concat([clicks(5, first=40), stranger]).write_csv(tmp_path / "test.tsv", separator="\t")
    (tmp_path / "peer.py").write_text(PEER)

    result = run(
        *("--train", tmp_path / "train.parquet", "--test", tmp_path / "test.tsv"),
        *("--epochs", 2, "--set", "hidden_size=8", "--json", tmp_path / "out.json"),
        *("--against", "peer:train_and_rank", "--against-set", "rank=4"),
        path=tmp_path,
    )

    assert result.returncode == 0, result.stderr
    assert "1 clicks on items unknown in train dropped, then 1 in sessions" in result.stdout
    assert "ours : peer by CPU time: training" in result.stdout
    laps = json.loads((tmp_path / "out.json").read_text())["laps"]
    assert [(lap["name"], lap["stage"], lap["n_events"]) for lap in laps] == [
        (name, stage, n)
        for stage, n in [("prepared", 0), ("trained", 120), ("trained", 120), ("ranked", 15)]
        for name in ("ours", "peer")
    ]
    assert laps[-1]["recall_at_20"] == 1
    assert laps[-1]["mrr_at_20"] == 0.25
    assert laps[-2]["recall_at_20"] == 1, "there are but ten items"


def test_holds_out_the_last_sessions_of_train(tmp_path: Path):
    clicks(40).write_parquet(tmp_path / "train.parquet")

    result = run("--train", tmp_path / "train.parquet", "--validation-share", 0.1, "--epochs", 1)

    assert result.returncode == 0, result.stderr
    train, ranked = (line.split() for line in result.stdout.splitlines()[:2])
    assert train[:4] == ["train", "144", "clicks", "36"]
    assert ranked[:4] == ["ranked", "16", "clicks", "4"]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return the script's `main`, to be called with its options in this process."""
    monkeypatch.syspath_prepend(SCRIPT.parent)

    def call(*options: object) -> None:
        monkeypatch.setattr(sys, "argv", [SCRIPT.name, *map(str, options)])
        importlib.import_module("gru4rec").main()

    return call


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train", "nowhere.parquet"], "nowhere.parquet does not exist"),
        (["--train", "clicks.csv"], "neither Parquet nor TSV"),
        (["--train", "other.parquet"], "has no column ItemId; it has SessionId, item, Time"),
        (["--train", "torn.parquet"], "cannot be read as parquet"),
        (["--train", "good.parquet", "--min-support", 99], "Nothing is left to train on"),
        (["--train", "good.parquet", "--set", "size=3"], "cannot take size=3"),
        (["--train", "good.parquet", "--set", "size"], "is not KEY=VALUE"),
        (["--train", "good.parquet", "--against", "nothing:here"], "There is no module 'nothing'"),
    ],
)
def test_says_what_is_wrong_with_its_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    main: Callable[..., None],
    options: list[object],
    message: str,
):
    monkeypatch.chdir(tmp_path)
    clicks(20).write_parquet("good.parquet")
    clicks(20).rename({"ItemId": "item"}).write_parquet("other.parquet")
    Path("torn.parquet").write_bytes(b"PAR1")

    with pytest.raises(SystemExit, match=f"^error: .*{message}"):
        main(*options, "--validation-share", 0.2)
