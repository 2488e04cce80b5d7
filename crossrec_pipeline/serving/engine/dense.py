"""Any recommender in; an engine that writes all scores out and takes the best."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.threads import one_thread
from crossrec_pipeline.serving.engine.base import MOST_INFLUENCES, Query, Ranking
from crossrec_pipeline.serving.engine.dense_kernel import best_allowed
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
        self._n_types = len(vocabulary.types)

    def rank(self, queries: Sequence[Query]) -> list[Ranking]:
        """Answer each query; see `Engine`. There are no states to hand out."""
        if not queries:
            return []
        with one_thread():
            scores = self._model.score([query.session for query in queries])
            found = [self._best(query, row) for query, row in zip(queries, scores, strict=True)]
            influences = self._influences(queries, found)
        return [
            Ranking(items, values, influence=influences.get(number))
            for number, (items, values) in enumerate(found)
        ]

    def description(self) -> dict[str, Any]:
        """Say what ranks; see `Engine`."""
        return {"kernel": "scores of all items", "recall": 1.0}

    def _best(self, query: Query, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        is_allowed = np.ones(self._n_types, dtype=np.bool_)
        if query.types is not None:
            is_allowed[:] = np.isin(np.arange(self._n_types), query.types)
        excluded = np.sort(query.excluded).astype(np.int32)
        return best_allowed(scores, query.top_k, self._type_codes, is_allowed, excluded)

    def _influences(
        self, queries: Sequence[Query], found: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> dict[int, np.ndarray]:
        """Leave out one event after another; by the number of the query, float32 [K, L]."""
        influences: dict[int, np.ndarray] = {}
        shorter: list[np.ndarray] = []
        left_out: list[tuple[int, int]] = []
        for number, query in enumerate(queries):
            if not query.wants_influence:
                continue
            n_events = len(query.session)
            shape = len(found[number][0]), n_events
            if n_events == 1:
                influences[number] = np.ones(shape, dtype=np.float32)
                continue
            influences[number] = np.zeros(shape, dtype=np.float32)
            places = range(max(0, n_events - MOST_INFLUENCES), n_events)
            shorter += [np.delete(query.session, place) for place in places]
            left_out += [(number, place) for place in places]
        for begin in range(0, len(shorter), _SESSIONS_AT_ONCE):
            part = slice(begin, begin + _SESSIONS_AT_ONCE)
            without = self._model.score(shorter[part])
            for (number, place), row in zip(left_out[part], without, strict=True):
                items, values = found[number]
                influences[number][:, place] = values - row[items]
        return influences


_SESSIONS_AT_ONCE = 64
"""Sessions whose scores of all items are held at once."""
