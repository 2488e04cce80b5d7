"""From a session so far to scores: its own items by how often it has them, then by popularity."""

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.candidates import ListModel, Lists, Queries
from crossrec_pipeline.models.popularity import log_shares
from crossrec_pipeline.models.rounding import round_in_order
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary


class SessionPopularity(ListModel):
    """Recommends what the session has had most (S-POP, Hidasi et al. 2016, arXiv:1511.06939).

    An item of the session scores by its events there, equal ones by popularity in train. All
    other items follow by their `log_shares`.
    """

    kind: ClassVar[str] = "session_popularity"

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

    def floor(self) -> np.ndarray:
        """Return the logarithm of each item's share of train, float32 [n_items]."""
        return self._fitted

    def lists(self, queries: Queries) -> Lists:
        """List the items of each session."""
        n_items = len(self._fitted)
        lengths = queries.ends - queries.begins
        query = np.repeat(np.arange(len(queries)), lengths)
        first_events = np.repeat(queries.begins - (np.cumsum(lengths) - lengths), lengths)
        events = np.arange(len(query)) + first_events
        pairs, counts = np.unique(query * n_items + queries.item_index[events], return_counts=True)
        query, items = np.divmod(pairs, n_items)
        # A share is below 1: it decides between equal counts and nothing else.
        scores = round_in_order(counts + np.exp(self._fitted[items], dtype=np.float64), query)
        return Lists(
            np.searchsorted(query, np.arange(len(queries) + 1)).astype(np.int64),
            items.astype(np.int32),
            scores,
        )

    def config(self) -> dict[str, Any]:
        """Return an empty configuration: there is nothing to choose."""
        return {}

    def save_weights(self, path: Path) -> None:
        """Write the popularity of the items as safetensors."""
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
            raise TrainingError(
                "This SessionPopularity model has not learnt anything yet: call fit."
            )
        return self._log_shares
