"""Session neighbours by the cosine of binary sessions (SKNN)."""

from typing import ClassVar

import numpy as np

from crossrec_pipeline.models.neighbours.config import NeighboursConfig
from crossrec_pipeline.models.neighbours.index import SessionIndex
from crossrec_pipeline.models.neighbours.model import SessionNeighbours
from crossrec_pipeline.models.neighbours.weights import EventWeights, TrainWeights, size_norm


class SKNNConfig(NeighboursConfig):
    """Options of `SKNN`."""


class SKNN(SessionNeighbours[SKNNConfig]):
    r"""Session-based nearest neighbours.

    Jannach & Ludewig, "When recurrent neural networks meet the neighborhood for session-based
    recommendation", 2017. With sessions as sets of items,

    .. math::
        \mathrm{sim}(s, n) = \frac{|s \cap n|}{\sqrt{|s|\,|n|}}
        \qquad
        \mathrm{score}(i) = \sum_{n \in N_k,\; i \in n} \mathrm{sim}(s, n)

    The root of :math:`|s|` is left out: it is one factor for all items.
    """

    kind: ClassVar[str] = "sknn"
    config_type = SKNNConfig

    def train_weights(self, index: SessionIndex) -> TrainWeights:
        """Weigh train sessions by the inverse root of their size."""
        return TrainWeights.equal(index)._replace(session=size_norm(index))

    def event_weights(self, place: np.ndarray, length: np.ndarray) -> EventWeights:
        """Weigh all events the same."""
        same = np.ones(len(place))
        return EventWeights(similarity=same, score=same)
