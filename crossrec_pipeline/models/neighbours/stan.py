"""Session neighbours by three exponential decays: of place, age and distance (STAN)."""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from crossrec_pipeline.models.neighbours.config import NeighboursConfig
from crossrec_pipeline.models.neighbours.index import SessionIndex
from crossrec_pipeline.models.neighbours.model import SessionNeighbours
from crossrec_pipeline.models.neighbours.weights import (
    EventWeights,
    TrainWeights,
    exponential,
    session_age,
    size_norm,
)


class STANConfig(NeighboursConfig):
    """Options of `STAN`."""

    place_scale: Annotated[float, Field(ge=0.1)] = 1.5
    """λ₁: events back from the session's last one after which its weight has fallen to 37 %."""
    age_scale: Annotated[float, Field(ge=0.01)] = 0.6
    """λ₂: share of the train sessions after which a neighbour's weight has fallen to 37 %."""
    distance_scale: Annotated[float, Field(ge=0.1)] = 5.0
    """λ₃: events from a neighbour's last shared item after which its weight has fallen to 37 %."""


class STAN(SessionNeighbours[STANConfig]):
    r"""Sequence and time aware neighbourhood.

    Garg et al., "Sequence and time aware neighborhood for session-based recommendations", 2019.
    With the names of `VSKNN`, :math:`a(n)` the age of a neighbour and :math:`d(i, n)` how many
    events there are in it from :math:`i` to the last item that it shares, or back,

    .. math::
        \mathrm{sim}(s, n) = \frac{e^{-a(n) / \lambda_2}}{\sqrt{|n|}}
            \sum_{x \in s \cap n} e^{-(p(x) - 1) / \lambda_1}
        \qquad
        \mathrm{score}(i) = \sum_{n \in N_k,\; i \in n} \mathrm{sim}(s, n)\,
            e^{-d(i, n) / \lambda_3}

    Ages are shares of the train sessions, those that began after :math:`n`, where the paper has
    days: not all logs have a clock. An age counts up to the end of train, and the root of the
    length of :math:`s` is left out: either is one factor for all items. :math:`|n|` counts
    distinct items.
    """

    kind: ClassVar[str] = "stan"
    config_type = STANConfig

    def train_weights(self, index: SessionIndex) -> TrainWeights:
        """Weigh train sessions by size and age, and distances within them."""
        return TrainWeights.equal(index)._replace(
            session=size_norm(index) * exponential(session_age(index), self._config.age_scale),
            distance=exponential(np.arange(index.longest_session), self._config.distance_scale),
        )

    def event_weights(self, place: np.ndarray, length: np.ndarray) -> EventWeights:
        """Weigh by an exponential of the place for the similarity."""
        return EventWeights(
            similarity=exponential(place - 1, self._config.place_scale), score=np.ones(len(place))
        )
