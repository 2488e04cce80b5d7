"""Training reads memory-mapped sessions where they lie: what it holds does not grow with them."""

import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from crossrec_pipeline.models.gru4rec import run, survey
from crossrec_pipeline.models.gru4rec.batches import SessionParallelWindows
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.train import train_network
from crossrec_pipeline.sessions.store import SessionStore

N_ITEMS = 500
LENGTH = 4


def _mapped_store(folder: Path, n_events: int) -> SessionStore:
    folder.mkdir()
    items = np.random.default_rng(0).integers(0, N_ITEMS, n_events, dtype=np.int32)
    np.save(folder / "item_index.npy", items)
    np.save(folder / "offsets.npy", np.arange(0, n_events + 1, LENGTH))
    items, offsets = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("item_index", "offsets")
    )
    none = np.empty(0, dtype=np.int64)
    return SessionStore(items, offsets, none, none, pl.DataFrame())


def _peak_bytes(store: SessionStore, folder: Path) -> int:
    """Train on a few windows, and return what Python and numpy held at most."""
    config = GRU4RecConfig(hidden_size=4, batch_size=32, epochs=1, n_negatives=20)
    tracemalloc.start()
    try:
        train_network(
            N_ITEMS, config, store, None, torch.device("cpu"), checkpoints=Checkpoints(folder)
        )
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_training_holds_does_not_grow_with_the_log(tmp_path, monkeypatch):
    class FewWindows(SessionParallelWindows):
        left = 0

        def __next__(self):
            FewWindows.left -= 1
            if FewWindows.left < 0:
                raise StopIteration
            return super().__next__()

    monkeypatch.setattr(run, "session_parallel_windows", FewWindows)
    monkeypatch.setattr(survey, "_BLOCK", 20_000)
    peaks = []
    for n_events in (40_000, 100_000, 4_000_000):  # the first one warms up
        FewWindows.left = 30
        store = _mapped_store(tmp_path / str(n_events), n_events)
        peaks.append(_peak_bytes(store, tmp_path / "checkpoint"))
    arrays_bytes = 4_000_000 * 4 + 1_000_000 * 8
    assert peaks[2] < peaks[1] + arrays_bytes / 50
    assert peaks[2] == pytest.approx(peaks[1], abs=500_000)
