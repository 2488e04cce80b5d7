"""Queries in; what a GRU4Rec recommends out, read event by event or from where a token left off."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossrec_pipeline.models.gru4rec.session_states import SessionStates
from crossrec_pipeline.models.inner_product.exact import exact_scores
from crossrec_pipeline.serving.engine.base import MOST_INFLUENCES, Query, Ranking
from crossrec_pipeline.serving.engine.search import Found, ItemSearch
from crossrec_pipeline.serving.engine.state_token import read_token, write_token


@dataclass(frozen=True)
class LaterItems:
    """Items that were added to a model after its training.

    Attributes
    ----------
    first
        Index of the first of them.
    version
        Of the items and what they are scored by.
    """

    first: int
    version: str


class GRU4RecEngine:
    """Ranks by the state of a GRU; see `Engine`.

    Parameters
    ----------
    states
        Runs sessions.
    weight, bias
        Of the items, float32 [n_items, H] and [n_items].
    search
        Finds items.
    data_version
        Of the model; tokens of another are passed over.
    notes
        Goes into `description`.
    later
        What was added to the model, if anything was.
    """

    def __init__(
        self,
        states: SessionStates,
        weight: np.ndarray,
        bias: np.ndarray,
        search: ItemSearch,
        data_version: str,
        notes: dict[str, Any],
        later: LaterItems | None = None,
    ) -> None:
        self._states = states
        self._weight = weight
        self._bias = bias
        self._search = search
        self._data_version = data_version
        self._notes = notes
        self._later = later

    def rank(self, queries: Sequence[Query]) -> list[Ranking]:
        """Answer each query; see `Engine`.

        Raises
        ------
        ValueError
            If a session is empty or holds an index that is not in the vocabulary.
        """
        if not queries:
            return []
        sessions = [np.asarray(query.session, dtype=np.int32) for query in queries]
        self._check(sessions)
        n_read, begin = self._taken_up(queries, sessions)
        rests = [session[n:] for session, n in zip(sessions, n_read, strict=True)]
        state, steps = self._run(rests, begin)
        last_item = np.array([session[-1] for session in sessions])
        hidden = self._states.hidden(state[-1], last_item)
        found = self._search.best(hidden, queries)
        influences = self._influences(queries, sessions, found, steps)
        return [
            Ranking(
                items,
                scores,
                write_token(self._model_of(sessions[number]), sessions[number], state[:, number])
                if query.wants_state
                else None,
                influences.get(number),
            )
            for number, (query, (items, scores)) in enumerate(zip(queries, found, strict=True))
        ]

    def description(self) -> dict[str, Any]:
        """Say what ranks; see `Engine`."""
        return {"kernel": self._search.name, **self._notes}

    def _check(self, sessions: Sequence[np.ndarray]) -> None:
        if min(map(len, sessions)) == 0:
            raise ValueError("a session is empty; there is nothing to rank by")
        items = np.concatenate(sessions)
        if not 0 <= items.min() <= items.max() < len(self._bias):
            raise ValueError(f"a session holds an item index outside 0 … {len(self._bias) - 1}")

    def _taken_up(
        self, queries: Sequence[Query], sessions: Sequence[np.ndarray]
    ) -> tuple[list[int], np.ndarray]:
        """Return how many events of each session need not be read, and the states after them."""
        n_layers, width = self._states.shape
        begin = np.zeros((n_layers, len(queries), width), dtype=np.float32)
        n_read = [0] * len(queries)
        for number, (query, session) in enumerate(zip(queries, sessions, strict=True)):
            # Influences need the state after every event.
            if query.state is None or query.wants_influence:
                continue
            for model in self._models():
                token = read_token(query.state, model, session, self._states.shape)
                if token is not None:
                    n_read[number], begin[:, number] = token.n_events, token.state
        return n_read, begin

    def _models(self) -> list[str]:
        """Name what tokens may be of."""
        later = self._later
        return [self._data_version, *([f"{self._data_version}+{later.version}"] if later else [])]

    def _model_of(self, session: np.ndarray) -> str:
        """Name what a token is of.

        An item that came later has another index, or other vectors, once others come or go. Tokens
        of sessions without any outlive that.
        """
        has_later = self._later is not None and session.max() >= self._later.first
        return self._models()[-1 if has_later else 0]

    def _run(
        self, sessions: Sequence[np.ndarray], begin: np.ndarray
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Read what is left of sessions.

        Returns
        -------
        state, steps
            After each session, float32 [layers, S, H]; by the number of the session, after each of
            its events, float32 [layers, L, H].
        """
        state = begin.copy()
        unread = [number for number, session in enumerate(sessions) if len(session)]
        if not unread:
            return state, {}
        after = self._states.run([sessions[number] for number in unread], begin[:, unread])
        ends = np.cumsum([len(sessions[number]) for number in unread])
        state[:, unread] = after[:, ends - 1]
        return state, dict(zip(unread, np.split(after, ends[:-1], axis=1), strict=True))

    def _influences(
        self,
        queries: Sequence[Query],
        sessions: Sequence[np.ndarray],
        found: Sequence[Found],
        steps: dict[int, np.ndarray],
    ) -> dict[int, np.ndarray]:
        """Leave out one event after another, of all sessions at once."""
        influences, rests, begins, left_out = {}, [], [], []
        for number, query in enumerate(queries):
            if not query.wants_influence:
                continue
            session, after = sessions[number], steps[number]
            shape = len(found[number][0]), len(session)
            if len(session) == 1:
                influences[number] = np.ones(shape, dtype=np.float32)
                continue
            influences[number] = np.zeros(shape, dtype=np.float32)
            for place in range(max(0, len(session) - MOST_INFLUENCES), len(session)):
                left_out.append((number, place))
                rests.append(session[place + 1 :])
                begins.append(after[:, place - 1] if place else np.zeros_like(after[:, 0]))
        if not left_out:
            return influences
        state, _ = self._run(rests, np.stack(begins, axis=1))
        last_item = np.array(
            [sessions[n][-2 if p == len(sessions[n]) - 1 else -1] for n, p in left_out]
        )
        hidden = self._states.hidden(state[-1], last_item)
        rows = np.repeat(np.arange(len(left_out)), [len(found[n][0]) for n, _ in left_out])
        items = np.concatenate([found[n][0] for n, _ in left_out])
        without = exact_scores(hidden, self._weight, self._bias, rows, items)
        at = 0
        for number, place in left_out:
            scores = found[number][1]
            influences[number][:, place] = scores - without[at : at + len(scores)]
            at += len(scores)
        return influences
