"""In: the world a log was simulated from. Out: the exact next-item probabilities, as a model.

No model can rank better on average than the law that made the log. What a trained model reaches of
the oracle's figures says how much of what can be learnt it has learnt.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.interactions.forward import (
    beliefs_by_step,
    next_item_law,
    next_item_probabilities,
    pad,
)
from crossrec_pipeline.interactions.world import World
from crossrec_pipeline.models.base import FitReport, PositionScores, Progress
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

SCORES_PER_BLOCK = 1 << 22
"""Probabilities worked out at once: 32 MiB of float64."""


class OracleRecommender:
    """Scores by a world's exact law, knowing only the session so far, as every model does.

    Items of the world that the vocabulary lacks are not scored, and events dropped from the
    sessions (items too rare in train) are not seen.

    Parameters
    ----------
    world
        The law that made the log.
    vocabulary
        The items to score; item indexes of sessions are its.

    Raises
    ------
    EvaluationError
        If the vocabulary has an item that is not in the world.
    """

    kind: ClassVar[str] = "oracle"

    def __init__(self, world: World, vocabulary: Vocabulary) -> None:
        self._world = world
        self._world_index = _world_indexes(world, vocabulary)

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Take over the vocabulary; there is nothing to learn."""
        self._world_index = _world_indexes(self._world, vocabulary)
        return FitReport()

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Return the probability of every item to be each session's next, float32 [B, n_items]."""
        histories = [self._world_index[session] for session in sessions]
        law = next_item_probabilities(self._world, histories)
        return law[:, self._world_index].astype(np.float32)

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        """Score every event after each session's first, in one pass over each session.

        Sessions of similar length go together; a block holds one position of up to
        `SCORES_PER_BLOCK` / N sessions.
        """
        longest_first = np.argsort(-store.lengths, kind="stable")
        longest_first = longest_first[store.lengths[longest_first] > 1]
        sessions_per_block = max(1, SCORES_PER_BLOCK // self._world.n_items)
        for begin in range(0, len(longest_first), sessions_per_block):
            sessions = longest_first[begin : begin + sessions_per_block]
            items, lengths = pad([self._world_index[store[int(s)]] for s in sessions])
            # The last item of a session predicts nothing.
            for beliefs in beliefs_by_step(self._world, items[:, :-1], lengths - 1):
                n_open, position = beliefs.seen.shape
                law = next_item_law(self._world, beliefs)
                yield PositionScores(
                    session=sessions[:n_open].astype(np.int64),
                    position=np.full(n_open, position, dtype=np.int64),
                    scores=law[:, self._world_index].astype(np.float32),
                )


def _world_indexes(world: World, vocabulary: Vocabulary) -> np.ndarray:
    """Return the world's index of each vocabulary item, int64 [n_items]."""
    unknown = [item_id for item_id in vocabulary.item_ids if item_id not in world.index_of]
    if unknown:
        raise EvaluationError(
            f"The oracle's world lacks {len(unknown)} items of the vocabulary, for example "
            f"{unknown[0]!r}. Build the world from the catalogue the log was simulated with, or "
            "build interactions/events and sessions/sequences again."
        )
    return np.array([world.index_of[item_id] for item_id in vocabulary.item_ids], dtype=np.int64)
