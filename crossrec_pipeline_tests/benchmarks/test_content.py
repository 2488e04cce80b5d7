import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline_tests.benchmarks.scripts import FOLDER, run_script

ROWS = ("+ type", "all words, ids dropped")
NEIGHBOURS = ("sknn", "vsknn", "vmis", "stan", "vstan")
FRAME = pl.DataFrame(
    {
        "session": [0, 0, 1, 2, 2, 3],
        "source_type": ["Book", "Book", "Movie", "Book", "Movie", "Book"],
        "target_type": ["Book", "Movie", "Movie", "Book", "Book", "Book"],
    }
)
N = FRAME.height


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("content")


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("content_cold")


def _trained(content: Any, *ranks: list[int]) -> Any:
    """A row's ranks, a list a seed; what ranked them does not matter."""
    return content.Trained([], np.array(ranks), np.array(ranks))


def _figures(content: Any, **rows: Any) -> dict[tuple[str, str, str], Any]:
    found = list(content.ablation({content.BASE: rows.pop("base"), **rows}, FRAME))
    return {(row.variant, row.slice, row.metric): row for row in found}


def test_an_equal_row_differs_by_nothing(content: Any):
    ranks = [1, 30, 2, 40, 5, 21]
    rows = _figures(content, base=_trained(content, ranks), same=_trained(content, ranks))

    for metric, value in (("recall", 3 / 6), ("mrr", (1 + 1 / 2 + 1 / 5) / 6)):
        row = rows["same", "all", metric]
        assert row.value == pytest.approx(value)
        assert (row.difference, row.low, row.high, row.p, row.n) == (0, 0, 0, 1, N)
        assert rows[content.BASE, "all", metric].value == row.value
        assert content._cell(row).endswith(" ")


def test_a_row_that_is_always_better_is_starred_and_one_that_is_worse_has_a_minus(
    content: Any, capsys: pytest.CaptureFixture
):
    base = _trained(content, [20] * N)
    rows = _figures(
        content, base=base, better=_trained(content, [2] * N), worse=_trained(content, [21] * N)
    )

    better, worse = rows["better", "all", "mrr"], rows["worse", "all", "mrr"]
    assert (better.difference, better.low, better.high) == pytest.approx([1 / 2 - 1 / 20] * 3)
    assert worse.difference == pytest.approx(-1 / 20)
    # None of the 2,000 resamples is on the other side; Holm doubles the smaller of two p-values,
    # and the other is not below it.
    assert better.p == worse.p == pytest.approx(2 * 2 / 2001)
    assert rows["better", "all", "recall"].difference == 0
    assert rows["worse", "all", "recall"].difference == -1

    content.print_ablation(list(rows.values()), {content.BASE: {}, "better": {}, "worse": {}})
    table = capsys.readouterr().out.partition("mrr@20")[2]
    marks = {line.split()[0]: set(line) & set("*-") for line in table.splitlines() if "±" in line}
    assert "*" in marks["better"]
    assert "*" not in marks["worse"] | marks["id"]
    assert "0.5000 ±0.0000*" in table
    assert "0.0000 ±0.0000-" in table


def test_figures_are_means_over_seeds(content: Any):
    base = _trained(content, [1] * N, [21] * N)
    row = _figures(content, base=base)[content.BASE, "all", "recall"]

    assert row.value == 0.5
    # Two seeds, at 1 and at 0.
    assert row.spread == pytest.approx(np.sqrt(1 / 2))
    means = content.seed_means(base.ranks)
    assert means["mrr"].tolist() == [0.5] * N


def test_slices_hold_what_they_say(content: Any):
    slices = {name: chosen.tolist() for name, chosen in content.slices_of(FRAME).items()}

    assert list(slices) == [
        "all",
        "Book",
        "Movie",
        "to another type",
        "Book → Book",
        "Book → Movie",
        "Movie → Book",
        "Movie → Movie",
    ]
    assert slices["Movie"] == [False, True, True, False, False, False]
    assert slices["to another type"] == [False, True, False, False, True, False]
    without_movies = FRAME.filter(pl.all_horizontal(pl.all().exclude("session") == "Book"))
    assert list(content.slices_of(without_movies)) == ["all", "Book", "Book → Book"]


def test_a_row_that_is_better_for_one_type_is_starred_there_alone(content: Any):
    is_movie = (FRAME["target_type"] == "Movie").to_list()
    better = [1 if movie else 30 for movie in is_movie]
    rows = _figures(content, base=_trained(content, [30] * N), better=_trained(content, better))

    assert rows["better", "Movie", "recall"].difference == 1
    assert "*" in content._cell(rows["better", "Movie", "recall"])
    assert (rows["better", "Book", "recall"].difference, rows["better", "Book", "recall"].p) == (
        0,
        1,
    )


def test_a_small_run_writes_every_figure(tmp_path: Path, cold: Any):
    out = tmp_path / "figures.json"
    small = ("--events", 3000, "--seeds", 1, "--epochs", 1, "--encoder", "hashed")

    result = run_script(
        "content.py", "--logs", "planted", "--variants", *ROWS, *small, "--json", out
    )

    assert result.returncode == 0, result.stderr

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    (figures,) = json.loads(out.read_text(), parse_constant=refuse).values()
    assert set(figures) == {"encoder", "rows", "single domain", "to another type", "cold"}
    assert figures["encoder"].startswith("hashed")
    names = ["id only", *ROWS]
    slices = {row["slice"] for row in figures["rows"]}
    assert {"all", "Book", "Movie", "Music", "to another type"} <= slices
    found = [(row["variant"], row["slice"], row["metric"]) for row in figures["rows"]]
    assert len(set(found)) == len(found) == len(names) * len(slices) * 2
    assert {name for name, _, _ in found} == set(names)
    assert all(0 <= row["value"] <= 1 for row in figures["rows"])
    assert list(figures["to another type"]) == [*NEIGHBOURS, *names]
    assert [(row["type"], row["variant"]) for row in figures["single domain"]] == [
        (item_type, name) for item_type in ("Book", "Movie", "Music") for name in names
    ]
    found_cold = {(row["model"], row["group"]) for row in figures["cold"]}
    models = [*(f"content alone, boost {boost:g}" for boost in cold.BOOSTS), "nearest texts"]
    groups = ("never seen before test", "too seldom in train", "known")
    assert found_cold == {(model, group) for model in models for group in groups}
    # Everything that is told is there.
    for words in ("recall@20", "mrr@20", "of that type alone", "that train does not know"):
        assert words in result.stdout


def test_reviews_are_asked_for_by_name():
    result = run_script("content.py", "--logs", "amazon")

    assert result.returncode == 1
    assert "name it with --data" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_without_the_reviews_is_named(tmp_path: Path):
    result = run_script("content.py", "--logs", "amazon", "--data", tmp_path)

    assert result.returncode == 1
    assert result.stderr.startswith("error:")
    assert str(tmp_path) in result.stderr
