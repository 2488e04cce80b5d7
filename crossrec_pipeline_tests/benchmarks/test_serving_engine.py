import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.serving_bundle import make_bundle
from crossrec_pipeline.models.registry import load_bundle

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "serving_engine.py"


def test_bundle_recommends_what_is_like_the_session(tmp_path: Path) -> None:
    loaded = load_bundle(make_bundle(tmp_path, n_items=2000, dim=16, seed=0))
    vectors = loaded.model.item_factors().weight.numpy()  # type: ignore[attr-defined]
    (scores,) = loaded.model.score([np.array([7], dtype=np.int32)])
    best = np.argsort(-scores)[:20]
    cosines = vectors @ vectors[7] / np.linalg.norm(vectors, axis=1)
    assert cosines[best].mean() > np.quantile(cosines, 0.95)
    assert loaded.vocabulary.types == ["Book", "Movie", "Music"]
    assert loaded.vocabulary.support.min() >= 1


def test_equal_seeds_give_equal_bundles(tmp_path: Path) -> None:
    made = [make_bundle(tmp_path / name, 50, 4, seed) for name, seed in (("a", 1), ("b", 1))]
    digests = {path.name.rpartition("-")[2] for path in made}
    assert len(digests) == 1


def test_every_way_to_search_is_timed(tmp_path: Path) -> None:
    options = ["--items", "300", "--dim", "8", "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), *options],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    names = [row[1].strip() for row in rows[1:]]
    assert {"rank", "all items, bytes", "all items, floats", "states"} <= set(names)
    assert all(float(cell) > 0 for row in rows[1:] for cell in row[2:-1])
