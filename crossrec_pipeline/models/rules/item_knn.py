"""From train sessions to scores by the items that occur in the same sessions (cosine)."""

from typing import Any, ClassVar

import numpy as np

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.rules.model import RuleModel
from crossrec_pipeline.models.rules.pair_sums import DistanceWeights, PairScaling, pair_rows
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary


class ItemKNN(RuleModel):
    r"""Item-to-item nearest neighbours (Sarwar et al. 2001; as Hidasi et al. 2016 have it).

    The similarity is the cosine between the items' vectors of sessions, shrunk where there are few
    events to tell it from:

    .. math:: r_{ij} = \frac{n_{ij}}{\sqrt{(n_i + \lambda)(n_j + \lambda)}}

    with :math:`n_{ij}` the pairs of different events of one session of which one is of item `i`
    and one of `j`, and :math:`n_i` the events of `i`. An item is its own neighbour by the events
    that it has twice in a session, since sessions come back to items; the papers leave it out, and
    look at the last item only (`decay` zero). Equal values rank by popularity.

    Parameters
    ----------
    shrinkage
        The number :math:`\lambda` of events, not negative.
    decay, top
        See `RuleModel`.

    Raises
    ------
    SettingsError
        If an option is out of range.
    """

    kind: ClassVar[str] = "item_knn"

    def __init__(self, shrinkage: float = 20.0, decay: float = 0.6, top: int = 200) -> None:
        super().__init__(decay, top)
        if not 0 <= shrinkage < np.inf:
            raise SettingsError(
                f"shrinkage={shrinkage} of {self.kind} must be a number that is not negative."
            )
        self._shrinkage = shrinkage

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Compare the items of train; validation is not looked at."""
        counts = np.bincount(train.item_index, minlength=vocabulary.n_items)
        rows = pair_rows(
            train.item_index,
            train.offsets,
            DistanceWeights.whole_session(train.offsets),
            PairScaling.powers(counts + self._shrinkage, -0.5, -0.5),
            counts,
            self._top,
        )
        return self._learnt(rows, counts)

    def config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {"shrinkage": self._shrinkage, **super().config()}
