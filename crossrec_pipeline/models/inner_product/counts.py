"""What is counted for items that are ranked, whichever way it is counted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ScoreCounts:
    """How items score beside ranked ones.

    Attributes
    ----------
    higher
        Items with a higher score than each ranked item, int64 [T].
    equal
        Items with just its score, itself included, int64 [T].
    within_group
        Items of its group that score at least as high as each row's first ranked item, itself
        included, int64 [R].
    """

    higher: np.ndarray
    equal: np.ndarray
    within_group: np.ndarray

    @property
    def ranks(self) -> np.ndarray:
        """Ranks with ties against the model: 1 for an item above all others, int64 [T]."""
        return self.higher + self.equal


class ScoreCounter(Protocol):
    """Compares the scores of ranked items with those of all items."""

    def count(self, hidden: "Tensor", ranked: np.ndarray, n_ranked: np.ndarray) -> ScoreCounts:
        """Count for several ranked items in each row.

        Parameters
        ----------
        hidden
            Float [R, H], of the items' type and on their device.
        ranked
            Items to rank, row after row, int [T].
        n_ranked
            How many for each row (at least one), int64 [R].

        Raises
        ------
        EvaluationError
            If a score is not a number.
        """
        ...


NOT_A_NUMBER = (
    "The model gave a score that is not a number (NaN). Train it again with a lower learning rate, "
    "or look for items without training events."
)
