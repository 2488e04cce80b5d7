"""Models fitted to a few sequences, and the order in which they recommend."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.candidates import Queries
from crossrec_pipeline.models.rules.model import RuleModel
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

_Model = TypeVar("_Model", bound=RuleModel)


def fitted(model: _Model, sequences: Sequence[Sequence[int]], n_items: int) -> _Model:
    """Fit to train sessions of item indexes."""
    model.fit(SessionStore.from_sequences(sequences), numbered_vocabulary(n_items))
    return model


def listed(model: RuleModel, *session: int) -> dict[int, float]:
    """Return the scores of the listed items."""
    lists = model.lists(Queries.of([np.array(session)]))
    return dict(zip(lists.items.tolist(), lists.scores.tolist(), strict=True))


def best(model: RuleModel, *session: int) -> list[int]:
    """Return all items, best first."""
    scores = model.score([np.array(session)])
    return top_k(scores, k=scores.shape[1])[0][0].tolist()
