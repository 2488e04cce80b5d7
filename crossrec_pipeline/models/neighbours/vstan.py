"""Session neighbours by STAN's decays together with V-SKNN's weights of items (VSTAN)."""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from crossrec_pipeline.models.neighbours.index import SessionIndex
from crossrec_pipeline.models.neighbours.model import SessionNeighbours
from crossrec_pipeline.models.neighbours.stan import STANConfig
from crossrec_pipeline.models.neighbours.weights import (
    EventWeights,
    TrainWeights,
    exponential,
    inverse_frequency,
    session_age,
    size_norm,
)


class VSTANConfig(STANConfig):
    """Options of `VSTAN`: those of `STAN`, and two of V-SKNN's kind."""

    place_scale: Annotated[float, Field(ge=0.1)] = 5.0
    age_scale: Annotated[float, Field(ge=0.01)] = 1.0
    score_scale: Annotated[float, Field(ge=0.1)] = 2.0
    """λ₄: events back from the session's last one to the latest that a neighbour shares, after
    which the neighbour's vote has fallen to 37 %."""
    idf_weight: Annotated[float, Field(ge=0)] = 3.0
    """ω: how much rare items are preferred; 0 does not."""


class VSTAN(SessionNeighbours[VSTANConfig]):
    r"""Sequence and time aware neighbourhood with the item weights of V-SKNN.

    Ludewig et al., "Empirical analysis of session-based recommendation algorithms", 2020. With the
    names of `VSKNN` and the similarity of `STAN`,

    .. math::
        \mathrm{score}(i) = \left(1 + \omega \ln \frac{|S|}{|S_i|}\right)
            \sum_{n \in N_k,\; i \in n} \mathrm{sim}(s, n)\,
            e^{-(p(y) - 1) / \lambda_4}\, e^{-d(i, n) / \lambda_3}

    Ages are shares of the train sessions here as well.
    """

    kind: ClassVar[str] = "vstan"
    config_type = VSTANConfig

    def train_weights(self, index: SessionIndex) -> TrainWeights:
        """Weigh train sessions by size and age, items by rarity, and distances."""
        config = self._config
        return TrainWeights(
            session=size_norm(index) * exponential(session_age(index), config.age_scale),
            item=1 + config.idf_weight * inverse_frequency(index),
            distance=exponential(np.arange(index.longest_session), config.distance_scale),
        )

    def event_weights(self, place: np.ndarray, length: np.ndarray) -> EventWeights:
        """Weigh by two exponentials of the place."""
        return EventWeights(
            similarity=exponential(place - 1, self._config.place_scale),
            score=exponential(place - 1, self._config.score_scale),
        )
