"""Models whose scores, or their factors, are written out; the small catalogue they know."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import torch

from crossrec_pipeline.models.base import PositionScores
from crossrec_pipeline.models.inner_product.factors import ItemFactors, PositionFactors
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary


def vocabulary_of(types: Sequence[str]) -> Vocabulary:
    """Item `i` has type `types[i]` and the train support 100 - i."""
    return Vocabulary.from_items(
        pl.DataFrame(
            {
                "item_id": [f"{type_}_{i}" for i, type_ in enumerate(types)],
                "item_type": list(types),
                "title": [f"item {i}" for i in range(len(types))],
                "support": [100 - i for i in range(len(types))],
            }
        )
    )


class ExplicitScores:
    """Scores by (session, position), given out in the order and the blocks asked for."""

    def __init__(
        self, rows: Sequence[tuple[int, int, Sequence[float]]], block_size: int = 1_000
    ) -> None:
        self._rows = rows
        self._block_size = block_size

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        for begin in range(0, len(self._rows), self._block_size):
            block = self._rows[begin : begin + self._block_size]
            yield PositionScores(
                np.array([row[0] for row in block], dtype=np.int64),
                np.array([row[1] for row in block], dtype=np.int64),
                np.array([row[2] for row in block], dtype=np.float32),
            )


class ExplicitFactors:
    """Hidden states by (session, position), and items' vectors: scores are never written out."""

    def __init__(
        self,
        rows: Sequence[tuple[int, int, Sequence[float]]],
        weight: Sequence[Sequence[float]] | np.ndarray,
        bias: Sequence[float] | np.ndarray,
        block_size: int = 1_000,
    ) -> None:
        self._rows = rows
        self._factors = ItemFactors(
            torch.as_tensor(weight, dtype=torch.float32), torch.as_tensor(bias, dtype=torch.float32)
        )
        self._block_size = block_size

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        raise AssertionError("scores are written out")

    def item_factors(self) -> ItemFactors:
        return self._factors

    def position_factors(self, store: SessionStore) -> Iterator[PositionFactors]:
        for begin in range(0, len(self._rows), self._block_size):
            block = self._rows[begin : begin + self._block_size]
            yield PositionFactors(
                np.array([row[0] for row in block], dtype=np.int64),
                np.array([row[1] for row in block], dtype=np.int64),
                torch.tensor([row[2] for row in block], dtype=torch.float32),
            )
