"""From train sessions to the linear map that rebuilds each item of a session from the others."""

from typing import Any, ClassVar

import numpy as np

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.rules.gram import session_gram
from crossrec_pipeline.models.rules.inverse import invert_in_place
from crossrec_pipeline.models.rules.largest import largest
from crossrec_pipeline.models.rules.model import RuleModel
from crossrec_pipeline.models.rules.rows import ItemRows
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

MOST_ITEMS = 50_000
_CELLS_PER_BLOCK = 8_000_000


class EASE(RuleModel):
    r"""EASE^R (Steck 2019, "Embarrassingly shallow autoencoders for sparse data").

    With `X` the matrix of sessions × items, 1 where the item occurs, the map `B` with a diagonal
    of zeros that minimises :math:`\|X - XB\|^2 + \lambda \|B\|^2` is known in closed form:

    .. math:: P = (X^T X + \lambda I)^{-1}, \quad B_{ij} = -P_{ij} / P_{jj} \text{ for } i \ne j

    A session scores by the sum of the rows of its distinct items. An item says nothing of itself,
    so that no session is expected to come back to its last item.

    The matrix of all pairs of items is inverted in 32 bits, in its place: 4 n² bytes (7.4 GB for
    43,000 items) and some n³ multiplications.

    Parameters
    ----------
    regularisation
        The weight :math:`\lambda`, above zero.
    decay
        See `RuleModel`; 1 is the paper's sum.
    top
        Entries of each row that are kept: the largest, whatever their sign; at least 1.

    Raises
    ------
    SettingsError
        If an option is out of range.
    """

    kind: ClassVar[str] = "ease"

    def __init__(self, regularisation: float = 200.0, decay: float = 0.6, top: int = 200) -> None:
        super().__init__(decay, top)
        if not 0 < regularisation < np.inf:
            raise SettingsError(
                f"regularisation={regularisation} of {self.kind} must be a number above 0."
            )
        self._regularisation = regularisation

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Solve for the map that rebuilds train; validation is not looked at.

        Raises
        ------
        SettingsError
            If the vocabulary has more items than a matrix of all pairs can be inverted for.
        """
        n_items = vocabulary.n_items
        if n_items > MOST_ITEMS:
            raise SettingsError(
                f"{self.kind} inverts a matrix of all pairs of items, and the vocabulary has "
                f"{n_items:,} of them; at most {MOST_ITEMS:,} (10 GB) are taken. Leave rare items "
                "out of the vocabulary, or take item_knn."
            )
        counts = np.bincount(train.item_index, minlength=n_items)
        matrix = session_gram(train, n_items)
        matrix[np.arange(n_items), np.arange(n_items)] += np.float32(self._regularisation)
        invert_in_place(matrix, progress)
        return self._learnt(_top_rows(matrix, self._top), counts)

    def config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {"regularisation": self._regularisation, **super().config()}


def _top_rows(inverse: np.ndarray, top: int) -> ItemRows:
    """Make rows of B of the inverse, float32 [n_items, n_items]; equal ones by item index."""
    n_items = len(inverse)
    diagonal = inverse.diagonal().copy()
    block = max(1, _CELLS_PER_BLOCK // max(n_items, 1))
    lengths, items, scores = [np.zeros(1, np.int64)], [], []
    for first in range(0, n_items, block):
        # The inverse is symmetric, and its columns are what lies in one piece.
        values = -inverse[:, first : first + block].T / diagonal
        own = np.arange(len(values))
        values[own, first + own] = 0
        kept = largest(np.abs(values), top)
        row, item = np.nonzero(kept)
        lengths.append(kept.sum(axis=1, dtype=np.int64))
        items.append(item.astype(np.int32))
        scores.append(values[row, item])
    return ItemRows(
        np.cumsum(np.concatenate(lengths)),
        np.concatenate([np.zeros(0, np.int32), *items]),
        np.concatenate([np.zeros(0, np.float32), *scores]),
    )
