"""Session neighbours for whom later events of the session so far weigh more (V-SKNN)."""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from crossrec_pipeline.models.neighbours.config import NeighboursConfig
from crossrec_pipeline.models.neighbours.index import SessionIndex
from crossrec_pipeline.models.neighbours.model import SessionNeighbours
from crossrec_pipeline.models.neighbours.weights import (
    EventWeights,
    TrainWeights,
    inverse_frequency,
)


class VSKNNConfig(NeighboursConfig):
    """Options of `VSKNN`."""

    idf_weight: Annotated[float, Field(ge=0)] = 5.0
    """ω: how much rare items are preferred; 0 scores as the paper of 2018 does."""


class VSKNN(SessionNeighbours[VSKNNConfig]):
    r"""Vector multiplication session-based nearest neighbours.

    Ludewig & Jannach, "Evaluation of session-based recommendation algorithms", 2018. Let the events
    of :math:`s` have the places 1 (the last) to :math:`L`, an item :math:`x` its latest one,
    :math:`p(x)`, and :math:`y` be the item of :math:`s \cap n` with the least. Then

    .. math::
        \mathrm{sim}(s, n) = \sum_{x \in s \cap n} \frac{L + 1 - p(x)}{L}
        \qquad
        \mathrm{score}(i) = \left(1 + \omega \ln \frac{|S|}{|S_i|}\right)
            \sum_{n \in N_k,\; i \in n} \frac{\mathrm{sim}(s, n)}{p(y)}

    for :math:`|S|` train sessions of which :math:`|S_i|` hold :math:`i`. The decays are those that
    the authors' code (session-rec) takes by default; the first factor, from there as well, is their
    extension by inverse document frequency (Ludewig et al., "Empirical analysis of session-based
    recommendation algorithms", 2020). Theirs counts events where :math:`|S_i|` counts sessions.
    """

    kind: ClassVar[str] = "vsknn"
    config_type = VSKNNConfig

    def train_weights(self, index: SessionIndex) -> TrainWeights:
        """Weigh items by how few train sessions hold them."""
        item = 1 + self._config.idf_weight * inverse_frequency(index)
        return TrainWeights.equal(index)._replace(item=item)

    def event_weights(self, place: np.ndarray, length: np.ndarray) -> EventWeights:
        """Weigh by a line for the similarity, and by the inverse place for the score."""
        return EventWeights(similarity=(length + 1 - place) / length, score=1 / place)
