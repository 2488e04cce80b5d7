"""From train sessions to scores by the last item: what came next after it, and how often."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import BundleError, SettingsError, TrainingError
from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.candidates import ListModel, Lists, Queries
from crossrec_pipeline.models.popularity import smoothed_shares
from crossrec_pipeline.models.rounding import round_in_order
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Transitions:
    """Scores of the transitions of train (compressed sparse rows), and of all others.

    Attributes
    ----------
    row_offsets
        Row `i` is the slice from ``row_offsets[i]`` to ``row_offsets[i + 1]``, int64 [n_items + 1].
    next_item
        Items that followed item `i`, ascending in each row, int32 [n_transitions].
    seen_scores
        Score of each of them, float32 [n_transitions].
    unseen_scores
        Score of each item after any item it never followed, float32 [n_items].
    """

    row_offsets: np.ndarray
    next_item: np.ndarray
    seen_scores: np.ndarray
    unseen_scores: np.ndarray


class Markov(ListModel):
    r"""First-order Markov chain over items, smoothed by popularity.

    The probability of item `j` after item `i` backs off to the share :math:`q_j` of `j` in train
    with the weight of :math:`\mu` observed transitions (a Dirichlet prior, as in Zhai & Lafferty,
    "A study of smoothing methods for language models", 2004):

    .. math:: p(j \mid i) = \frac{n_{ij} + \mu q_j}{\sum_k n_{ik} + \mu}

    Scores are :math:`\log(n_{ij} + \mu q_j)`, whose softmax is this probability. The constant of
    the row is left out, so that each item has one score for all rows in which it is unseen. With
    :math:`\mu \le 1` every item that followed ranks above every item that did not, the former by
    count and then popularity, the latter by popularity.

    Parameters
    ----------
    prior_events
        The weight :math:`\mu`, above 0 and at most 1.

    Raises
    ------
    SettingsError
        If `prior_events` is out of range.
    """

    kind: ClassVar[str] = "markov"

    def __init__(self, prior_events: float = 1.0) -> None:
        if not 0 < prior_events <= 1:
            raise SettingsError(
                f"prior_events={prior_events} of the Markov model must be above 0 and at most 1."
            )
        self._prior_events = prior_events
        self._transitions: _Transitions | None = None

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Count the transitions of train; validation is not looked at."""
        n_items = vocabulary.n_items
        prior = self._prior_events * smoothed_shares(
            np.bincount(train.item_index, minlength=n_items)
        )
        within = np.ones(train.n_events, dtype=bool)
        within[train.offsets[:-1]] = False
        second = np.flatnonzero(within)
        pairs, counts = np.unique(
            train.item_index[second - 1].astype(np.int64) * n_items + train.item_index[second],
            return_counts=True,
        )
        item, next_item = np.divmod(pairs, n_items)
        self._transitions = _Transitions(
            row_offsets=np.searchsorted(item, np.arange(n_items + 1)).astype(np.int64),
            next_item=next_item.astype(np.int32),
            seen_scores=round_in_order(np.log(counts + prior[next_item]), item),
            unseen_scores=round_in_order(np.log(prior), np.zeros(n_items, dtype=np.int8)),
        )
        return FitReport(summary={"events": train.n_events, "distinct_transitions": len(pairs)})

    def floor(self) -> np.ndarray:
        """Return each item's score after any item it never followed, float32 [n_items]."""
        return self._fitted.unseen_scores

    def lists(self, queries: Queries) -> Lists:
        """List what followed the last item of each session."""
        fitted = self._fitted
        last_item = queries.item_index[queries.ends - 1]
        first = fitted.row_offsets[last_item]
        lengths = fitted.row_offsets[last_item + 1] - first
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        entry = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], lengths)
        return Lists(offsets, fitted.next_item[entry], fitted.seen_scores[entry])

    def config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {"prior_events": self._prior_events}

    def save_weights(self, path: Path) -> None:
        """Write the scores as safetensors."""
        save_file(dict(vars(self._fitted)), path)

    @classmethod
    def restore(cls, config: dict[str, Any], weights: Path, vocabulary: Vocabulary) -> Self:
        """Make a fitted model from what `config` and `save_weights` gave.

        Raises
        ------
        BundleError
            If the weights are of another number of items.
        """
        model = cls(**config)
        transitions = _Transitions(**load_file(weights))
        n_items = len(transitions.unseen_scores)
        if n_items != vocabulary.n_items:
            raise BundleError(
                f"{weights} has scores of {n_items} items, but the vocabulary has "
                f"{vocabulary.n_items} items. Use the vocabulary the model was trained with."
            )
        model._transitions = transitions
        return model

    @property
    def _fitted(self) -> _Transitions:
        if self._transitions is None:
            raise TrainingError("This Markov model has not learnt anything yet: call fit.")
        return self._transitions
