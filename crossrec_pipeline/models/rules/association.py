"""From train sessions to scores by what occurs beside an item, anywhere in its sessions."""

from typing import Any, ClassVar

import numpy as np

from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.rules.model import RuleModel
from crossrec_pipeline.models.rules.pair_sums import DistanceWeights, PairScaling, pair_rows
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary


class AssociationRules(RuleModel):
    r"""Association rules of two items (Ludewig & Jannach 2018, arXiv:1803.09587), normalised.

    With :math:`n_{ij}` the pairs of different events of one session of which one is of item `i`
    and one of `j`, in either order, and :math:`n_i` the events of `i`, item `i` says of `j`

    .. math:: r_{ij} = \frac{n_{ij}}{n_i^a \, n_j^b}

    An item that occurs twice in a session is paired with itself. Equal values rank by popularity.
    The paper's rules are those of the last item without normalisation: `given_exponent`,
    `scored_exponent` and `decay` zero.

    Parameters
    ----------
    given_exponent
        The exponent :math:`a`, from 0 to 1: how much less a row's single pair says where the item
        has many. Without effect if `decay` is zero.
    scored_exponent
        The exponent :math:`b`, from 0 to 1: how much of an item's popularity is taken off.
    decay, top
        See `RuleModel`.

    Raises
    ------
    SettingsError
        If an option is out of range.
    """

    kind: ClassVar[str] = "association_rules"

    def __init__(
        self,
        given_exponent: float = 0.5,
        scored_exponent: float = 0.25,
        decay: float = 0.6,
        top: int = 200,
    ) -> None:
        super().__init__(decay, top)
        self._check_share("given_exponent", given_exponent)
        self._check_share("scored_exponent", scored_exponent)
        self._given_exponent = given_exponent
        self._scored_exponent = scored_exponent

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Count the pairs of train; validation is not looked at."""
        counts = np.bincount(train.item_index, minlength=vocabulary.n_items)
        rows = pair_rows(
            train.item_index,
            train.offsets,
            DistanceWeights.whole_session(train.offsets),
            PairScaling.powers(counts, -self._given_exponent, -self._scored_exponent),
            counts,
            self._top,
        )
        return self._learnt(rows, counts)

    def config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {
            "given_exponent": self._given_exponent,
            "scored_exponent": self._scored_exponent,
            **super().config(),
        }
