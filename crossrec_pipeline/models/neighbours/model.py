"""From train sessions to lists for sessions so far: what all kinds of session neighbours share."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.candidates import ListModel, Lists, Queries
from crossrec_pipeline.models.neighbours.config import NeighboursConfig
from crossrec_pipeline.models.neighbours.index import (
    SessionIndex,
    build_index,
    count_events,
)
from crossrec_pipeline.models.neighbours.listing import list_neighbours_items
from crossrec_pipeline.models.neighbours.weights import EventWeights, TrainWeights
from crossrec_pipeline.models.popularity import log_shares
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_FLOOR = "log_shares"
_Config = TypeVar("_Config", bound=NeighboursConfig)


@dataclass(frozen=True)
class _Learnt:
    """What train says: its index, `log_shares` of its items, and the weights of the kind."""

    index: SessionIndex
    floor: np.ndarray
    weights: TrainWeights


class SessionNeighbours(ListModel, Generic[_Config]):
    """Scores items by the train sessions that are most like the session so far.

    A kind says what similarity and scores are weighed with; see `listing` for the computation.
    Items of the session so far are scored like any other. Items that no neighbour holds follow
    after those that one does, by popularity.

    Parameters
    ----------
    config
        The kind's options; None takes its defaults.
    """

    kind: ClassVar[str]
    config_type: ClassVar[type[NeighboursConfig]]
    """The kind's class of options."""

    def __init__(self, config: _Config | None = None) -> None:
        self._config: _Config = config or cast("_Config", self.config_type())
        self._learnt: _Learnt | None = None

    @abstractmethod
    def train_weights(self, index: SessionIndex) -> TrainWeights:
        """Weigh train sessions, items, and distances within a train session."""

    @abstractmethod
    def event_weights(self, place: np.ndarray, length: np.ndarray) -> EventWeights:
        """Weigh the events of sessions so far.

        Parameters
        ----------
        place
            Each event's place from the end of its session, int64 [E]; the last has 1.
        length
            Events of its session, int64 [E].
        """

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Index the sessions of train; validation is not looked at.

        Raises
        ------
        TrainingError
            If an item is not in the vocabulary.
        """
        floor = log_shares(count_events(train, vocabulary.n_items))
        index = build_index(train, vocabulary.n_items, self._config.sample)
        self._learn(index, floor)
        return FitReport(
            summary={
                "events": train.n_events,
                "sessions": index.n_sessions,
                "postings": len(index.posting_sessions),
            }
        )

    def floor(self) -> np.ndarray:
        """Return each item's logarithmic share of train, below 0, float32 [n_items]."""
        return self._fitted.floor

    def lists(self, queries: Queries) -> Lists:
        """List the items of the neighbours of sessions so far; the best of each has score 1.

        Raises
        ------
        ValueError
            If a session holds an index that is not in the vocabulary.
        """
        fitted = self._fitted
        lengths = queries.ends - queries.begins
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        length = np.repeat(lengths, lengths)
        position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        events = queries.item_index[position + np.repeat(queries.begins, lengths)]
        n_items = len(fitted.floor)
        if len(events) and not 0 <= events.min() <= events.max() < n_items:
            raise ValueError(f"a session holds an item index outside 0 … {n_items - 1}")
        return Lists(
            *list_neighbours_items(
                fitted.index,
                fitted.weights,
                events,
                offsets,
                self.event_weights(length - position, length),
                self._config.k,
                self._config.sample,
            )
        )

    def config(self) -> dict[str, Any]:
        """Return the configuration."""
        return self._config.model_dump()

    def save_weights(self, path: Path) -> None:
        """Write the index and the floor as safetensors."""
        fitted = self._fitted
        save_file({**fitted.index._asdict(), _FLOOR: fitted.floor}, path)

    @classmethod
    def restore(cls, config: dict[str, Any], weights: Path, vocabulary: Vocabulary) -> Self:
        """Make a fitted model from what `config` and `save_weights` gave.

        Raises
        ------
        BundleError
            If the weights are of another number of items.
        SettingsError
            If the configuration is of another kind.
        """
        model = cls(cast("_Config", cls.config_type(**config)))
        arrays = load_file(weights)
        floor = arrays.pop(_FLOOR)
        if len(floor) != vocabulary.n_items:
            raise BundleError(
                f"{weights} has scores of {len(floor)} items, but the vocabulary has "
                f"{vocabulary.n_items} items. Use the vocabulary the model was trained with."
            )
        model._learn(SessionIndex(**arrays), floor)
        return model

    def _learn(self, index: SessionIndex, floor: np.ndarray) -> None:
        self._learnt = _Learnt(index, floor, self.train_weights(index))

    @property
    def _fitted(self) -> _Learnt:
        if self._learnt is None:
            raise TrainingError(
                f"This {type(self).__name__} model has not learnt anything yet: call fit."
            )
        return self._learnt
