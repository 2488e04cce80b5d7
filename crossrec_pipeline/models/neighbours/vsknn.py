"""Session neighbours for whom later events of the session so far weigh more (V-SKNN)."""

from typing import Annotated, ClassVar, Literal

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

Decay = Literal["linear", "quadratic", "inverse", "logarithmic"]
"""(L + 1 - p) / L, its square, 1 / p, and 1 / log10(p + 1.7): of a place p of L."""


class VSKNNConfig(NeighboursConfig):
    """Options of `VSKNN`."""

    similarity_decay: Decay = "logarithmic"
    """w: how the events of the session so far lose weight in the similarity."""
    score_decay: Decay = "inverse"
    """v: how the neighbours lose weight with the place of what they share."""
    idf_weight: Annotated[float, Field(ge=0)] = 20.0
    """ω: how much rare items are preferred; 0 scores as the paper of 2018 does."""


class VSKNN(SessionNeighbours[VSKNNConfig]):
    r"""Vector multiplication session-based nearest neighbours.

    Ludewig & Jannach, "Evaluation of session-based recommendation algorithms", 2018. Let the events
    of :math:`s` have the places 1 (the last) to :math:`L`, an item :math:`x` its latest one,
    :math:`p(x)`, and :math:`y` be the item of :math:`s \cap n` with the least. Then

    .. math::
        \mathrm{sim}(s, n) = \sum_{x \in s \cap n} w(p(x))
        \qquad
        \mathrm{score}(i) = \left(1 + \omega \ln \frac{|S|}{|S_i|}\right)
            \sum_{n \in N_k,\; i \in n} \mathrm{sim}(s, n)\, v(p(y))

    with a `Decay` for :math:`w` and one for :math:`v`, and :math:`|S|` train sessions of which
    :math:`|S_i|` hold :math:`i`. The decays are those of the authors' code (session-rec); the first
    factor, from there as well, is their extension by inverse document frequency (Ludewig et al.,
    "Empirical analysis of session-based recommendation algorithms", 2020). Theirs counts events
    where :math:`|S_i|` counts sessions.
    """

    kind: ClassVar[str] = "vsknn"
    config_type = VSKNNConfig

    def train_weights(self, index: SessionIndex) -> TrainWeights:
        """Weigh items by how few train sessions hold them."""
        item = 1 + self._config.idf_weight * inverse_frequency(index)
        return TrainWeights.equal(index)._replace(item=item)

    def event_weights(self, place: np.ndarray, length: np.ndarray) -> EventWeights:
        """Weigh by the decays of the configuration."""
        config = self._config
        return EventWeights(
            similarity=_decayed(config.similarity_decay, place, length),
            score=_decayed(config.score_decay, place, length),
        )


def _decayed(decay: Decay, place: np.ndarray, length: np.ndarray) -> np.ndarray:
    match decay:
        case "linear":
            return (length + 1 - place) / length
        case "quadratic":
            return ((length + 1 - place) / length) ** 2
        case "inverse":
            return 1 / place
        case "logarithmic":
            return 1 / np.log10(place + 1.7)
