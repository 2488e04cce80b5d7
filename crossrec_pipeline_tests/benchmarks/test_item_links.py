import csv
import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crossrec_pipeline.settings import load_settings
from crossrec_pipeline_tests.benchmarks.scripts import FOLDER, run_script

NAMES = {"movies": "imdb_movies.csv", "music": "spotify_tracks.csv", "books": "goodreads_data.csv"}


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("link_labels")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The sample's catalogues under the names of the real ones."""
    (tmp_path / "catalogues").mkdir()
    for domain, name in NAMES.items():
        source = load_settings().sample_dir / f"{domain}.csv"
        shutil.copy(source, tmp_path / "catalogues" / name)
    return tmp_path


def run(*options: object) -> str:
    result = run_script("item_links.py", *options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_links_are_counted_and_judged(data: Path, labels: Any):
    pair = labels.pair_hash("Movie_Dune", "Book_Dune (Dune, #1)")
    wrong = labels.pair_hash("Movie_Rebecca", "Book_Rebecca")
    unlinked = labels.pair_hash("Movie_Dune", "Book_Emma")
    given = data / "labels.csv"
    given.write_text(
        f"pair,stratum,label\n{pair},0.95,yes\n{wrong},0.60,unsure\n{unlinked},0.60,yes\n"
    )
    told = run("--data", data, "--labels", given, "--json", data / "out.json")
    figures = json.loads((data / "out.json").read_text())
    assert figures["links"]["story: Book, Movie"] == 33
    assert figures["precision"]["all"] == {
        "n": 2,
        "right": 1,
        "value": 0.5,
        "low": 0.095,
        "high": 0.905,
    }
    assert figures["precision"]["by stratum"]["0.60"]["right"] == 0
    assert figures["precision"]["no longer linked"] == 1
    assert "precision of film-book links" in told


def test_a_sample_to_label_has_both_descriptions(data: Path):
    run("--data", data, "--draw", data / "sample.md")
    drawn = (data / "sample.md").read_text()
    n_links = drawn.count("## ")
    assert 0 < n_links < 33
    assert drawn.count("FILM ") == drawn.count("BOOK ") == n_links


def test_a_draw_is_in_proportion_and_repeatable(labels: Any):
    n = 600
    found = pl.DataFrame(
        {
            "movie_id": [f"Movie_{i}" for i in range(n)],
            "book_id": [f"Book_{i}" for i in range(n)],
            "score": [0.7 if i % 4 else 0.97 for i in range(n)],
            "reason": ["same title"] * n,
            "pair": [labels.pair_hash(f"Movie_{i}", f"Book_{i}") for i in range(n)],
        }
    )
    drawn = labels.draw(found, 100, seed=0)
    assert drawn.height == 100
    assert not any(labels.is_to_fit(book_id) for book_id in drawn["book_id"])
    shares = dict(drawn["stratum"].value_counts().iter_rows())
    kept = [i for i in range(n) if not labels.is_to_fit(f"Book_{i}")]
    expected = 100 * sum(i % 4 == 0 for i in kept) / len(kept)
    assert shares["0.95"] == pytest.approx(expected, abs=1)
    assert labels.draw(found.reverse(), 100, seed=0).equals(drawn)
    assert not labels.draw(found, 100, seed=1).equals(drawn)
    assert labels.draw(found.head(40), 100, seed=0).height < 40


@pytest.mark.parametrize(
    ("n", "right", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I.
    [(263, 81, 0.2553, 0.3662), (148, 15, 0.0624, 0.1605), (20, 0, 0.0, 0.1611)],
)
def test_wilsons_interval(labels: Any, n: int, right: int, low: float, high: float):
    assert labels.Precision(n, right).interval == pytest.approx((low, high), abs=1e-4)


def test_labels_of_the_sample_and_those_to_fit_are_of_other_pairs():
    found = {}
    for name in ("item_links", "item_links_tuning"):
        with (FOLDER / "labels" / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["label"] for row in rows} == {"yes", "no", "unsure"}
        found[name] = {row["pair"] for row in rows}
        assert len(found[name]) == len(rows)
    assert len(found["item_links"]) == 100
    assert found["item_links"].isdisjoint(found["item_links_tuning"])
