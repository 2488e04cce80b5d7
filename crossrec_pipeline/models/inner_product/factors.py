"""What a model gives whose scores are inner products: vectors of items and of predictions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from crossrec_pipeline.sessions.store import SessionStore

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ItemFactors:
    """What every item is scored with: item i scores ``hidden @ weight[i] + bias[i]``.

    Attributes
    ----------
    weight
        Float [n_items, H].
    bias
        Float [n_items].
    """

    weight: "Tensor"
    bias: "Tensor"


@dataclass(frozen=True)
class PositionFactors:
    """What a block of predictions is scored by.

    Attributes
    ----------
    session, position
        As in `PositionScores`, int64 [P].
    hidden
        Float [P, H], of the items' type and on their device.
    """

    session: np.ndarray
    position: np.ndarray
    hidden: "Tensor"


@runtime_checkable
class FactoredScorer(Protocol):
    """A model whose scores are inner products; they need not be written out to be ranked."""

    def item_factors(self) -> ItemFactors:
        """Return the items' vectors and biases."""
        ...

    def position_factors(self, store: SessionStore) -> Iterator[PositionFactors]:
        """Give every event of a store after each session's first its vector, each exactly once.

        Blocks are of a bounded size, in any order.
        """
        ...
