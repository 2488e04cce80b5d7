"""Rows of scored items in, learnt by a subclass; lists for sessions, and weights on disk, out."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import BundleError, SettingsError, TrainingError
from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.candidates import ListModel, Lists, Queries
from crossrec_pipeline.models.popularity import log_shares
from crossrec_pipeline.models.rules.rows import ItemRows, session_lists
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary


class RuleModel(ListModel):
    """Scores by the rows of the items of a session; other items follow by their `log_shares`.

    Parameters
    ----------
    decay
        Weight of an item's row relative to that of the item after it, from 0 (the last item
        alone) to 1 (all items alike); see `session_lists`.
    top
        Entries of each row that are kept, at least 1.

    Raises
    ------
    SettingsError
        If an option is out of range.
    """

    kind: ClassVar[str]

    def __init__(self, decay: float, top: int) -> None:
        self._check_share("decay", decay)
        if top < 1:
            raise SettingsError(f"top={top} of {self.kind} must be at least 1.")
        self._decay = decay
        self._top = top
        self._rows: ItemRows | None = None
        self._floor: np.ndarray | None = None

    @abstractmethod
    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Learn the rows from train; validation is not looked at."""

    def floor(self) -> np.ndarray:
        """Return the logarithm of each item's share of train, float32 [n_items]."""
        return self._fitted[1]

    def lists(self, queries: Queries) -> Lists:
        """List what the items of each session speak for."""
        return session_lists(self._fitted[0], queries, self._decay)

    def config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {"decay": self._decay, "top": self._top}

    def save_weights(self, path: Path) -> None:
        """Write rows and floor as safetensors."""
        rows, floor = self._fitted
        save_file({**vars(rows), "floor": floor}, path)

    @classmethod
    def restore(cls, config: dict[str, Any], weights: Path, vocabulary: Vocabulary) -> Self:
        """Make a fitted model from what `config` and `save_weights` gave.

        Raises
        ------
        BundleError
            If the weights are of another number of items.
        """
        model = cls(**config)
        arrays = load_file(weights)
        model._floor = arrays.pop("floor")
        model._rows = ItemRows(**arrays)
        if model._rows.n_items != vocabulary.n_items:
            raise BundleError(
                f"{weights} has rows of {model._rows.n_items} items, but the vocabulary has "
                f"{vocabulary.n_items} items. Use the vocabulary the model was trained with."
            )
        return model

    def _check_share(self, option: str, value: float) -> None:
        if not 0 <= value <= 1:
            raise SettingsError(f"{option}={value} of {self.kind} must be from 0 to 1.")

    def _learnt(self, rows: ItemRows, counts: np.ndarray) -> FitReport:
        """Take the rows that were learnt, and each item's events in train."""
        self._rows = rows
        self._floor = log_shares(counts)
        return FitReport(summary={"events": int(counts.sum()), "rules": len(rows.items)})

    @property
    def _fitted(self) -> tuple[ItemRows, np.ndarray]:
        if self._rows is None or self._floor is None:
            raise TrainingError(f"This {self.kind} model has not learnt anything yet: call fit.")
        return self._rows, self._floor
