import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "models.py"
N_ITEMS = 30


def _clicks(n_sessions: int, seed: int) -> pl.DataFrame:
    """Sessions of three to six clicks around a ring of items, now and then out of turn."""
    rng = np.random.default_rng(seed)
    rows = []
    for session in range(n_sessions):
        item = rng.integers(N_ITEMS)
        for _ in range(rng.integers(3, 7)):
            rows.append((f"{seed}-{session:04d}", int(item), len(rows)))
            item = (item + 1) % N_ITEMS if rng.random() < 0.8 else rng.integers(N_ITEMS)
    return pl.DataFrame(rows, schema=["SessionId", "ItemId", "Time"], orient="row")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("log")
    items = pl.DataFrame({"item_id": range(N_ITEMS)}).with_columns(
        pl.when(pl.col("item_id") % 2 == 0)
        .then(pl.lit("Movie"))
        .otherwise(pl.lit("Book"))
        .alias("item_type")
    )
    tables = {"train": _clicks(400, 1), "test": _clicks(100, 2), "items": items}
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in tables}


def run(files: dict[str, Path], *options: object) -> subprocess.CompletedProcess[str]:
    given = ["--train", files["train"], "--test", files["test"], *options]
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, given)],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_models_are_compared_by_type_and_transition(files: dict[str, Path], tmp_path: Path):
    out = tmp_path / "figures.json"
    names = "popularity,markov,vstan,gru4rec,hybrid"
    result = run(files, "--items", files["items"], "--models", names, "--json", out)
    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())
    assert list(figures["models"]) == names.split(",")
    # What was not asked for, but is a member of the hybrid, is trained for it alone.
    assert "sequential_rules" in result.stdout.partition("\ntest\n")[0]
    recall = {
        row["model"]: row["value"]
        for row in figures["metrics"]
        if (row["slice"], row["relevance"], row["metric"], row["k"])
        == ("overall", "next", "recall", 5)
    }
    assert recall["popularity"] < recall["markov"]
    assert "Movie→Book" in result.stdout
    assert "not told apart" in result.stdout or "real" in result.stdout
    assert {row["p_holm"] for row in figures["comparisons"]} != {None}


def test_one_model_alone_is_compared_with_none(files: dict[str, Path], tmp_path: Path):
    out = tmp_path / "figures.json"
    result = run(files, "--models", "markov", "--json", out)
    assert result.returncode == 0, result.stderr
    assert json.loads(out.read_text())["comparisons"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "markow"], "markow is no model here; choose from popularity"),
        (["--models", ","], "nothing is no model here"),
        (["--validation-share", "1"], "--validation-share 1.0 is not between 0 and 1"),
        (["--items", "items.csv"], "items.csv is neither Parquet nor TSV"),
        (["--items", "absent.parquet"], "absent.parquet does not exist"),
    ],
)
def test_what_cannot_be_done_is_said(files: dict[str, Path], options: list[str], message: str):
    result = run(files, *options)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda items: items.rename({"item_type": "kind"}), "has no column item_type; it has"),
        (lambda items: items.head(5), "25 items of train have no type, for example"),
        (lambda items: pl.concat([items, items.head(1)]), "has item '0' more than once"),
        (
            lambda items: items.with_columns(pl.lit(None, pl.String).alias("item_type")),
            "has empty cells in item_id, item_type",
        ),
    ],
)
def test_items_that_cannot_be_used_are_refused(
    files: dict[str, Path], tmp_path: Path, change, message: str
):
    path = tmp_path / "items.parquet"
    change(pl.read_parquet(files["items"])).write_parquet(path)
    result = run(files, "--items", path, "--models", "markov")
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
