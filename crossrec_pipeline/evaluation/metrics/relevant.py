"""Ranks of the items that came, cut by prediction: the one input of every metric."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Relevant:
    """Ranks of each prediction's relevant items; 1 is the best rank.

    Attributes
    ----------
    ranks
        Ranks of all relevant items, prediction after prediction, int [n_relevant].
    offsets
        Prediction `p` has `ranks[offsets[p]:offsets[p + 1]]`, at least one, int64 [P + 1].
    """

    ranks: np.ndarray
    offsets: np.ndarray

    def __post_init__(self) -> None:
        if len(self.offsets) == 0 or self.offsets[0] != 0 or self.offsets[-1] != len(self.ranks):
            raise ValueError("offsets do not run from 0 to the number of ranks")
        if (np.diff(self.offsets) < 1).any():
            raise ValueError("every prediction needs at least one relevant item")
        if len(self.ranks) and self.ranks.min() < 1:
            raise ValueError("ranks start at 1")

    @classmethod
    def next_item(cls, ranks: pl.DataFrame, column: str = "rank") -> "Relevant":
        """Take the next item alone as relevant: `rank` or `rank_within_type` of a RANKS frame."""
        return cls(ranks[column].to_numpy(), np.arange(ranks.height + 1))

    @classmethod
    def rest_of_session(cls, ranks: pl.DataFrame) -> "Relevant":
        """Take all distinct items still to come in the session as relevant (a RANKS frame)."""
        lengths = ranks["rest_ranks"].list.len().to_numpy().astype(np.int64)
        flat = ranks["rest_ranks"].explode(empty_as_null=False).to_numpy()
        return cls(flat, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))

    @property
    def n_predictions(self) -> int:
        """Number of predictions, P."""
        return len(self.offsets) - 1

    @cached_property
    def n_relevant(self) -> np.ndarray:
        """Relevant items of each prediction, int64 [P]."""
        return np.diff(self.offsets)

    @cached_property
    def first_rank(self) -> np.ndarray:
        """Rank of each prediction's best placed relevant item, int [P]."""
        if self.n_predictions == 0:
            return self.ranks
        return np.minimum.reduceat(self.ranks, self.offsets[:-1])

    @cached_property
    def ordinals(self) -> np.ndarray:
        """How many relevant items of its prediction stand up to each one, int64 [n_relevant].

        The best placed has 1; equal ranks count one after the other.
        """
        order = np.lexsort((self.ranks, self._prediction))
        ordinals = np.empty(len(order), dtype=np.int64)
        ordinals[order] = np.arange(len(order)) - self.offsets[self._prediction] + 1
        return ordinals

    @cached_property
    def _prediction(self) -> np.ndarray:
        return np.repeat(np.arange(self.n_predictions), self.n_relevant)

    def hits(self, k: int) -> np.ndarray:
        """Relevant items among the first `k` of each prediction, int64 [P]."""
        return np.bincount(self._prediction[self.ranks <= k], minlength=self.n_predictions)

    def sum_over_hits(self, values: np.ndarray, k: int) -> np.ndarray:
        """Sum `values` (one a rank) over each prediction's hits within `k`, float64 [P]."""
        hit = self.ranks <= k
        # Summed as written, not by differences of running totals, which would lose digits.
        return np.bincount(
            self._prediction[hit], weights=values[hit], minlength=self.n_predictions
        ).astype(np.float64)


def mean_or_nan(values: np.ndarray) -> float:
    """Return the mean; NaN for no values, since nothing measured is not zero."""
    return float(values.mean()) if len(values) else float("nan")
