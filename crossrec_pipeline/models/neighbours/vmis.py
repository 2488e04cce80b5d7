"""Session neighbours by the most recent sessions of each item of the session so far (VMIS-kNN)."""

from typing import ClassVar

import numpy as np

from crossrec_pipeline.models.neighbours.config import NeighboursConfig
from crossrec_pipeline.models.neighbours.index import SessionIndex
from crossrec_pipeline.models.neighbours.model import SessionNeighbours
from crossrec_pipeline.models.neighbours.weights import (
    EventWeights,
    TrainWeights,
    inverse_frequency,
)


class VMISConfig(NeighboursConfig):
    """Options of `VMIS`; `sample` is the paper's m."""


class VMIS(SessionNeighbours[VMISConfig]):
    r"""Vector multiplication indexed session-based nearest neighbours.

    Kersbergen et al., "Serenade – low-latency session-based recommendation in e-commerce at scale",
    2022. Of each item the index keeps the `sample` most recent sessions, and the neighbours are
    sought among the `sample` most recent of all that share one. With the names of `VSKNN`,

    .. math::
        \mathrm{sim}(s, n) = \sum_{x \in s \cap n} \frac{L + 1 - p(x)}{L}
        \qquad
        \mathrm{score}(i) = \ln \frac{|S|}{|S_i|}
            \sum_{n \in N_k,\; i \in n} \mathrm{sim}(s, n)\, \max(0, 1 - 0.1\, p(y))

    so that neighbours which share none of the last nine events do not vote. Serenade leaves the
    session's last item out of what it shows; here it is scored like the others.
    """

    kind: ClassVar[str] = "vmis"
    config_type = VMISConfig

    def train_weights(self, index: SessionIndex) -> TrainWeights:
        """Weigh items by how few train sessions hold them."""
        return TrainWeights.equal(index)._replace(item=inverse_frequency(index))

    def event_weights(self, place: np.ndarray, length: np.ndarray) -> EventWeights:
        """Weigh by a line over the session for the similarity, over ten events for the score."""
        return EventWeights(
            similarity=(length + 1 - place) / length, score=np.maximum(0, (10 - place) / 10)
        )
