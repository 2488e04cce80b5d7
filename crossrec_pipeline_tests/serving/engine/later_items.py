"""A small GRU4Rec, and items that came after its training, written by hand."""

from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.models.additions import ITEM_COLUMNS, Additions
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.registry import save_bundle
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

N_ITEMS, WIDTH = 60, 8
VOCABULARY = vocabulary_of(*(f"{'Movie' if i % 2 else 'Book'}_{i}" for i in range(N_ITEMS)))
NEW = N_ITEMS


def additions(seed: int = 0, *, tied: bool = True) -> Additions:
    """Three items with vectors that are long enough to be recommended."""
    rng = np.random.default_rng(seed)
    vectors, weight = rng.normal(size=(2, 3, WIDTH)).astype(np.float32)
    items = pl.DataFrame(
        {
            "item_id": ["Book_x", "Movie_y", "Movie_z"],
            "item_type": ["Book", "Movie", "Movie"],
            "title": ["x", "y", "z"],
            "creators": [[], [], []],
            "genres": [[], [], []],
            "linked": [[], [], []],
        },
        schema=ITEM_COLUMNS,
    )
    bias = rng.normal(size=3).astype(np.float32)
    return Additions(vectors, vectors if tied else weight, bias, items)


def trained(folder: Path, adapter_rank: int = 0) -> Path:
    """Train on random walks and save; return the bundle's folder."""
    config = GRU4RecConfig(hidden_size=WIDTH, epochs=1, adapter_rank=adapter_rank, device="cpu")
    model = GRU4Rec(config, progress_bar=False)
    rng = np.random.default_rng(0)
    walks = [rng.integers(0, N_ITEMS, 6).tolist() for _ in range(100)]
    model.fit(SessionStore.from_sequences(walks), VOCABULARY)
    return save_bundle(model, VOCABULARY, folder, inputs={}).path
