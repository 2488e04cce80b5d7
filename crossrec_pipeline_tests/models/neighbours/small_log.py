"""A log small enough to work by hand, and what a model lists."""

from typing import TypeVar

import numpy as np

from crossrec_pipeline.models.candidates import Queries
from crossrec_pipeline.models.neighbours.model import SessionNeighbours
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

# Session 3 is the most recent; its item 2 counts where it occurs last. Items 0 and 1 are in three
# of four sessions, items 2 and 3 in two, item 4 in none.
LOG = [[0, 1, 2], [1, 3], [0, 1], [2, 0, 3, 2]]
N_ITEMS = 5

Model = TypeVar("Model", bound=SessionNeighbours)

HALF_LIFE_OF_ONE = 1 / np.log(2)
"""A scale that makes exp(-d / scale) the d-th power of one half."""


def fit(model: Model, log: list[list[int]] = LOG, n_items: int = N_ITEMS) -> Model:
    model.fit(SessionStore.from_sequences(log), numbered_vocabulary(n_items))
    return model


def listed(model: SessionNeighbours, *session: int) -> dict[int, float]:
    """Score of each item that the model lists."""
    lists = model.lists(Queries.of([np.array(session)]))
    return dict(zip(lists.items.tolist(), lists.scores.tolist(), strict=True))


def shares(scores: dict[int, float]) -> dict[int, float]:
    """Divide scores by the greatest, as lists are."""
    return {item: score / max(scores.values()) for item, score in scores.items()}
