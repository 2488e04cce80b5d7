"""Any recommender in; an engine that writes all scores out and takes the best."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from crossrec_pipeline.models.base import Recommender, top_k
from crossrec_pipeline.serving.engine.base import Query, Ranking
from crossrec_pipeline.sessions.vocabulary import Vocabulary


class DenseEngine:
    """Ranks by `Recommender.score`, for models whose scores are no inner products.

    Parameters
    ----------
    model
        Fitted, of the vocabulary.
    vocabulary
        The items it ranks.
    """

    def __init__(self, model: Recommender, vocabulary: Vocabulary) -> None:
        self._model = model
        self._type_codes = vocabulary.type_codes

    def rank(self, queries: Sequence[Query]) -> list[Ranking]:
        """Answer each query; see `Engine`. There are no states to hand out."""
        scores = self._model.score([query.session for query in queries])
        return [self._best(query, row) for query, row in zip(queries, scores, strict=True)]

    def description(self) -> dict[str, Any]:
        """Say what ranks; see `Engine`."""
        return {"kernel": "dense", "recall": 1.0}

    def _best(self, query: Query, scores: np.ndarray) -> Ranking:
        allowed = np.ones(len(scores), dtype=bool)
        if query.types is not None:
            allowed = np.isin(self._type_codes, query.types)
        allowed[query.excluded] = False
        items, best = top_k(scores[None], query.top_k, allowed)
        influence = None
        if query.wants_influence:
            influence = self._influence(query.session, scores, items[0])
        return Ranking(items[0].astype(np.int32), best[0].astype(np.float32), influence=influence)

    def _influence(self, session: np.ndarray, scores: np.ndarray, items: np.ndarray) -> np.ndarray:
        if len(session) == 1:
            return np.ones((len(items), 1), dtype=np.float32)
        shorter = [np.delete(session, place) for place in range(len(session))]
        return (scores[items] - self._model.score(shorter)[:, items]).T.astype(np.float32)
