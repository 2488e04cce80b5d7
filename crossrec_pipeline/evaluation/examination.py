"""A model and the test sessions go in; all that is kept of how it ranked them comes out."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.ranking import PositionScorer, rank_predictions
from crossrec_pipeline.evaluation.top_lists import TopLists, top_lists
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

LIST_LENGTH = 20
N_LISTED = 5_000
"""Predictions whose lists are kept: enough for metrics of lists, few enough for any data set."""

_WARM_UP_SESSIONS = 8


@dataclass(frozen=True)
class Examination:
    """How one model ranked the test sessions.

    Attributes
    ----------
    ranks
        Columns of `RANKS`.
    lists
        The best `LIST_LENGTH` items of `N_LISTED` predictions, the same ones for every model.
    predictions_per_second
        How fast it ranked, on this machine.
    """

    ranks: pl.DataFrame
    lists: TopLists
    predictions_per_second: float


def examine(model: PositionScorer, store: SessionStore, vocabulary: Vocabulary) -> Examination:
    """Rank every prediction of a store, and list the best items of a sample.

    Parameters
    ----------
    model
        To be examined.
    store
        Sessions to predict: every event after each session's first.
    vocabulary
        The items that are ranked.

    Raises
    ------
    EvaluationError
        As `rank_predictions` does.
    """
    # What is compiled or read at the first call is no part of the speed.
    warm_up = store.only(np.arange(min(_WARM_UP_SESSIONS, store.n_sessions)))
    rank_predictions(model, warm_up, vocabulary)
    begin = perf_counter()
    ranks = rank_predictions(model, store, vocabulary)
    seconds = perf_counter() - begin
    lists = top_lists(model, store, vocabulary, LIST_LENGTH, N_LISTED)
    return Examination(ranks, lists, ranks.height / seconds)
