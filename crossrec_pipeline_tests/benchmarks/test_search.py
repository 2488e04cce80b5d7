import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "search.py"


def test_times_and_shares_are_told_by_kind_of_query():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--items", "2000", "--queries", "100"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("2,000 items, 1,578 of them from catalogues\n")
    rows = {line[:22].strip(): line[22:].split() for line in done.stdout.splitlines()[4:]}
    assert {"title, a typo", "two words", "creator", "pasted text", "all"} <= set(rows)
    assert rows["all"][0] == "100"
    assert 0.5 < float(rows["all"][4]) <= 1
    assert rows["pasted text"][4] == "-"
