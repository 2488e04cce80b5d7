"""From train sessions to scores by what came after an item, the sooner the higher."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.rules.model import RuleModel
from crossrec_pipeline.models.rules.pair_sums import DistanceWeights, PairScaling, pair_rows
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

Weighting = Literal["inverse", "linear"]

_WEIGHTS: dict[Weighting, Callable[[int], np.ndarray]] = {
    "inverse": lambda steps: 1 / np.arange(1, steps + 1),
    "linear": lambda steps: 1 - np.arange(steps) / steps,
}


class SequentialRules(RuleModel):
    r"""Sequential rules (Kamehkhosh et al. 2017; Ludewig & Jannach 2018, arXiv:1803.09587).

    With :math:`w(d)` the weight of two events `d` places apart in a session, and the share
    :math:`\beta` that a pair in the other order counts, item `i` says of `j`

    .. math::
        r_{ij} = \frac{1}{n_i^a} \sum_s \sum_{d=1}^{steps} w(d) \sum_x
            \left([s_x = i][s_{x+d} = j] + \beta [s_x = j][s_{x+d} = i]\right)

    where :math:`n_i` is the number of events of `i`. Equal values rank by popularity. The papers'
    rules are those of the last item and what came after it: `backward`, `given_exponent` and
    `decay` zero.

    Parameters
    ----------
    steps
        Places apart, at least 1, up to which two events count.
    weighting
        ``inverse``: :math:`w(d) = 1 / d`; ``linear``: :math:`w(d) = 1 - (d - 1) / steps`.
    backward
        The share :math:`\beta`, from 0 to 1: what came before an item tells of what it is viewed
        with, too.
    given_exponent
        The exponent :math:`a`, from 0 to 1: how much less a row's single pair says where the item
        has many. Without effect if `decay` is zero.
    decay, top
        See `RuleModel`.

    Raises
    ------
    SettingsError
        If an option is out of range.
    """

    kind: ClassVar[str] = "sequential_rules"

    def __init__(
        self,
        steps: int = 10,
        weighting: Weighting = "inverse",
        backward: float = 0.5,
        given_exponent: float = 0.5,
        decay: float = 0.6,
        top: int = 200,
    ) -> None:
        super().__init__(decay, top)
        if steps < 1:
            raise SettingsError(f"steps={steps} of {self.kind} must be at least 1.")
        if weighting not in _WEIGHTS:
            raise SettingsError(
                f"weighting={weighting!r} of {self.kind} is unknown; take {' or '.join(_WEIGHTS)}."
            )
        self._check_share("backward", backward)
        self._check_share("given_exponent", given_exponent)
        self._steps = steps
        self._weighting: Weighting = weighting
        self._backward = backward
        self._given_exponent = given_exponent

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Count what came after each item of train; validation is not looked at."""
        counts = np.bincount(train.item_index, minlength=vocabulary.n_items)
        after = _WEIGHTS[self._weighting](self._steps)
        before = self._backward * after if self._backward else np.zeros(0)
        rows = pair_rows(
            train.item_index,
            train.offsets,
            DistanceWeights(before, after),
            PairScaling.powers(counts, -self._given_exponent, 0.0),
            counts,
            self._top,
        )
        return self._learnt(rows, counts)

    def config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {
            "steps": self._steps,
            "weighting": self._weighting,
            "backward": self._backward,
            "given_exponent": self._given_exponent,
            **super().config(),
        }
