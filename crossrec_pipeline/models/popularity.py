"""From train sessions to one score an item: how often it occurs, whatever the session."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models.base import (
    FitReport,
    PositionScores,
    Progress,
    last_item_positions,
)
from crossrec_pipeline.models.rounding import round_in_order
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_SCORES_PER_BLOCK = 8_000_000


def smoothed_shares(counts: np.ndarray) -> np.ndarray:
    """Return each item's share of the events, with one event added to each item (Laplace).

    ``(count + 1) / (n_events + n_items)``: an item without an event left in train stays above
    zero, and the order of the counts stays.

    Parameters
    ----------
    counts
        Events by item, int [n_items].

    Returns
    -------
    float64 [n_items]
        Sums to one.
    """
    return (counts + 1) / (counts.sum() + len(counts))


def log_shares(counts: np.ndarray) -> np.ndarray:
    """Return the logarithms of `smoothed_shares`, different wherever the counts are.

    Parameters
    ----------
    counts
        Events by item, int [n_items].

    Returns
    -------
    float32 [n_items]
    """
    return round_in_order(np.log(smoothed_shares(counts)), np.zeros(len(counts), dtype=np.int8))


class Popularity:
    """Recommends what occurs most in train, to everyone.

    Scores are `log_shares`, so that their softmax is the share of the item among all events.
    """

    kind: ClassVar[str] = "popularity"

    def __init__(self) -> None:
        self._log_shares: np.ndarray | None = None

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Count the events of train; validation is not looked at."""
        self._log_shares = log_shares(np.bincount(train.item_index, minlength=vocabulary.n_items))
        return FitReport(summary={"events": train.n_events, "items": vocabulary.n_items})

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Score every item for each session, float32 [B, n_items]; all rows are equal."""
        return np.tile(self._fitted, (len(sessions), 1))

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        """Score every event of a store after each session's first, in blocks."""
        block = max(1, _SCORES_PER_BLOCK // len(self._fitted))
        for session, position, _ in last_item_positions(store, block):
            yield PositionScores(session, position, np.tile(self._fitted, (len(session), 1)))

    def config(self) -> dict[str, Any]:
        """Return an empty configuration: there is nothing to choose."""
        return {}

    def save_weights(self, path: Path) -> None:
        """Write the scores as safetensors."""
        save_file({"log_shares": self._fitted}, path)

    @classmethod
    def restore(cls, config: dict[str, Any], weights: Path, vocabulary: Vocabulary) -> Self:
        """Make a fitted model from what `config` and `save_weights` gave.

        Raises
        ------
        BundleError
            If the weights are of another number of items.
        """
        model = cls(**config)
        restored = load_file(weights)["log_shares"]
        if len(restored) != vocabulary.n_items:
            raise BundleError(
                f"{weights} has scores of {len(restored)} items, but the vocabulary has "
                f"{vocabulary.n_items} items. Use the vocabulary the model was trained with."
            )
        model._log_shares = restored
        return model

    @property
    def _fitted(self) -> np.ndarray:
        if self._log_shares is None:
            raise TrainingError("This Popularity model has not learnt anything yet: call fit.")
        return self._log_shares
