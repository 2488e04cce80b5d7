"""A number of items in; a GRU4Rec bundle of that size out, whose scores are like a trained one's.

Nothing is trained. Items lie in overlapping clusters and have a spectrum that falls, and the hidden
state is a decaying mean of the session's squashed vectors: neighbours mean something, and queries
look like real ones.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.registry import save_bundle
from crossrec_pipeline.sessions.vocabulary import Vocabulary

TYPES = ("Book", "Movie", "Music")
N_CLUSTERS = 200
LENGTH = 2.5
"""Mean norm of the items' vectors."""
LIKENESS = 0.7
"""Of an item's vector and its cluster's centre: their cosine."""


def make_bundle(folder: Path, n_items: int, dim: int, seed: int) -> Path:
    """Write a bundle as `registry.save_bundle` does.

    Parameters
    ----------
    folder
        Where ``gru4rec/<version>`` appears.
    n_items, dim
        Size of the vocabulary, and of the vectors and the state.
    seed
        Equal ones give equal weights.
    """
    generator = np.random.default_rng(seed)
    vocabulary = _vocabulary(n_items, generator)
    popularity = np.log(vocabulary.support / vocabulary.support.mean())
    tensors = {
        "input_embedding": _vectors(n_items, dim, generator),
        "output_bias": (0.1 * popularity).astype(np.float32),
        **_decaying_mean(dim),
    }
    config = GRU4RecConfig(hidden_size=dim, device="cpu").model_dump(mode="json")
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "weights.safetensors"
        save_file(tensors, weights)
        model = GRU4Rec.restore(config, weights, vocabulary)
        return save_bundle(model, vocabulary, folder, inputs={}, seeds={"synthetic": seed}).path


def _vocabulary(n_items: int, generator: np.random.Generator) -> Vocabulary:
    rank = generator.permutation(n_items) + 1
    number = np.arange(n_items)
    types = np.array(TYPES)[generator.choice(len(TYPES), n_items, p=[0.5, 0.3, 0.2])]
    items = pl.DataFrame({"number": number, "item_type": types}).select(
        pl.format("{}_Item {}", "item_type", "number").alias("item_id"),
        "item_type",
        pl.format("Item {}", "number").alias("title"),
        pl.Series("support", 1 + (20 * n_items**0.9 / rank**0.9).astype(np.int64)),
    )
    return Vocabulary.from_items(items)


def _vectors(n_items: int, dim: int, generator: np.random.Generator) -> np.ndarray:
    """Draw vectors in two clusters each, component j scaled by j^-0.5, float32 [n_items, dim]."""
    spectrum = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    centres = generator.standard_normal((N_CLUSTERS, dim), dtype=np.float32)
    vectors = generator.standard_normal((n_items, dim), dtype=np.float32)
    vectors *= np.sqrt(1 - LIKENESS**2)
    for share in (0.8, 0.6):  # squares add up to 1
        vectors += LIKENESS * share * centres[generator.integers(0, N_CLUSTERS, n_items)]
    vectors *= spectrum * (LENGTH / np.linalg.norm(spectrum))
    # Lengths vary, as those of trained vectors do.
    vectors *= np.exp(0.15 * generator.standard_normal((n_items, 1), dtype=np.float32))
    return vectors


def _decaying_mean(dim: int) -> dict[str, np.ndarray]:
    """Set gates half open and the new state to the squashed input: h ← h / 2 + tanh(2 x) / 2."""
    size = np.zeros((3 * dim, dim), dtype=np.float32)
    weight_ih = size.copy()
    weight_ih[2 * dim :] = 2 * np.eye(dim, dtype=np.float32)
    bias = np.zeros(3 * dim, dtype=np.float32)
    return {
        "gru.weight_ih_l0": weight_ih,
        "gru.weight_hh_l0": size,
        "gru.bias_ih_l0": bias,
        "gru.bias_hh_l0": bias.copy(),
        "skip": 0.25 * np.eye(dim, dtype=np.float32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the bundle appears, under gru4rec/")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(make_bundle(options.folder, options.items, options.dim, options.seed))


if __name__ == "__main__":
    main()
