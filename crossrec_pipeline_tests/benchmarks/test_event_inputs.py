"""What the benchmark of event inputs plants, and a small run of it."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.benchmarks.scripts import FOLDER, run_script

ROWS = ("id only", "+ event type", "+ gap", "+ both")
BY_IDS = ("+ event type, by ids", "+ gap, by ids", "+ both, by ids")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("event_inputs")


def _store(n_sessions: int, seed: int) -> SessionStore:
    """Sessions of four events each, which the log calls nothing."""
    walks = np.random.default_rng(seed).integers(0, 6, (n_sessions, 4))
    store = SessionStore.from_sequences(walks.tolist())
    nothing = EventInputs(
        np.zeros(store.n_events, np.uint8), np.zeros(store.n_events, np.uint32), ()
    )
    return SessionStore(
        store.item_index, store.offsets, store.start_us, store.end_us, store.keys, nothing
    )


def test_planted_types_tell_mostly_of_which_item_type_the_next_one_is(benchmark: Any):
    ids = [f"{item_type}_{n}" for item_type in ("Book", "Movie") for n in range(3)]
    items = pl.DataFrame(
        {
            "item_id": ids,
            "item_type": ["Book"] * 3 + ["Movie"] * 3,
            "title": ids,
            "support": [1] * 6,
        }
    )
    vocabulary = Vocabulary.from_items(items)
    train = _store(2000, 0)
    dataset = SessionDataset(train, _store(10, 1), _store(10, 2), vocabulary)

    events = benchmark.planted(dataset).train.events

    assert events.names == ("Book", "Movie")
    said = (events.event_type - 1).reshape(-1, 4)
    types = vocabulary.type_codes[train.item_index].reshape(-1, 4)
    # Of those that are drawn, one in two is right by chance.
    right = benchmark.TELLS + (1 - benchmark.TELLS) / 2
    assert (said[:, :-1] == types[:, 1:]).mean() == pytest.approx(right, abs=0.02)
    # The last one has nothing to tell: the next event is another session's.
    assert (said[:-1, -1] == types[1:, 0]).mean() == pytest.approx(0.5, abs=0.05)


def test_a_small_run_writes_every_figure(tmp_path: Path):
    out = tmp_path / "figures.json"
    small = ("--events", 3000, "--seeds", 1, "--epochs", 1)

    result = run_script("event_inputs.py", *small, "--json", out)

    assert result.returncode == 0, result.stderr
    figures = json.loads(out.read_text())
    assert set(figures) == {"simulated", "planted"}
    for rows in figures.values():
        assert {row["variant"] for row in rows} == {*ROWS, *BY_IDS}
        assert all(0 <= row["value"] <= 1 for row in rows)
    assert "+ both, by ids" in result.stdout
