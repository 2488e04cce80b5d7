import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "embedding.py"


def test_all_items_are_timed_and_then_only_what_changed(tmp_path: Path):
    figures = tmp_path / "figures.json"
    options = ["--items", "2000", "--changed", "7", "--neighbours", "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options], capture_output=True, text=True, check=True
    )
    heading, all_items, changed, *_ = done.stdout.splitlines()
    assert heading.startswith("2,000 items, 1,578 of them from catalogues; ")
    assert all_items.split()[:4] == ["all", "items:", "2,000", "embedded"]
    assert changed.split()[:4] == ["7", "changed:", "7", "embedded"]
    found = json.loads(figures.read_text())
    assert (found["all"]["n_encoded"], found["changed"]["n_encoded"]) == (2000, 7)
    assert found["changed"]["seconds_of_encoder"] < found["all"]["seconds_of_encoder"]
    assert found["neighbours"] > 0
