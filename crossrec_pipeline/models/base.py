"""What every recommender does: learn from sessions, score all items, be saved and loaded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary


@dataclass(frozen=True)
class PositionScores:
    """Scores of every item for a block of predictions.

    Attributes
    ----------
    session
        Session number in the store, int64 [P].
    position
        Position of the event to predict within its session, from 1, int64 [P]; the model has seen
        positions 0 … position - 1 of that session and nothing else of it.
    scores
        Higher is more likely next, float32 [P, n_items].
    """

    session: np.ndarray
    position: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class FitReport:
    """What training did.

    Attributes
    ----------
    history
        One row an epoch (empty for models without epochs), for example
        ``{"epoch": 1, "loss": 5.2, "recall_at_20": 0.31, "events_per_second": 41000.0}``.
    summary
        Other figures worth showing, for example ``{"best_epoch": 7}``.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)


Progress = Callable[[str], None]
"""Receives a line of text now and then."""

EpochDone = Callable[[dict[str, float]], None]
"""Receives an epoch's row of `FitReport.history` as soon as it is known."""


class Recommender(Protocol):
    """A next-item model over a fixed vocabulary. Constructed with its configuration."""

    kind: ClassVar[str]
    """Name of the family, such as ``markov``; the registry finds the class by it."""

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Learn from train; validation is for early stopping only."""
        ...

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Score every item as the next one of each (non-empty) session, float32 [B, n_items]."""
        ...

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        """Score every event of a store after each session's first, each exactly once.

        Blocks are of a bounded size, in any order.
        """
        ...

    def config(self) -> dict[str, Any]:
        """Return the configuration as JSON-like values; `from_config` takes it back."""
        ...

    def save_weights(self, path: Path) -> None:
        """Write what was learnt as one safetensors file."""
        ...

    @classmethod
    def restore(cls, config: dict[str, Any], weights: Path, vocabulary: Vocabulary) -> Self:
        """Make a fitted model from what `config` and `save_weights` gave."""
        ...


@runtime_checkable
class EventInputReader(Protocol):
    """A recommender that can read more of the events of a store than their items."""

    def with_event_inputs(self) -> "Recommender":
        """Return the same model, which reads what a store knows of its events, if it can."""
        ...


def last_item_positions(
    store: SessionStore, block: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """List all predictions of a store in blocks, for models that look at the last item only.

    Yields
    ------
    session, position, last_item
        int64 [P], int64 [P], int32 [P], with P ≤ `block`.
    """
    session_of_event = np.repeat(np.arange(store.n_sessions), store.lengths)
    position_of_event = np.arange(store.n_events) - store.offsets[session_of_event]
    targets = np.flatnonzero(position_of_event > 0)
    for begin in range(0, len(targets), block):
        event = targets[begin : begin + block]
        yield (
            session_of_event[event],
            position_of_event[event],
            np.asarray(store.item_index[event - 1]),
        )


def top_k(
    scores: np.ndarray, k: int, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best `k` items of each row, best first; equal scores by item index.

    Parameters
    ----------
    scores
        float [B, n_items].
    k
        How many; fewer come back when fewer items are allowed.
    allowed
        bool [n_items] or [B, n_items] (every row allowing equally many); None allows all.

    Returns
    -------
    indexes, values
        int64 [B, k'], float [B, k'].
    """
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    k = min(k, scores.shape[1])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(scores, order, axis=1)
    if allowed is not None:
        n_allowed = int(np.broadcast_to(allowed, scores.shape).sum(axis=1).min(initial=k))
        order, values = order[:, :n_allowed], values[:, :n_allowed]
    return order, values
