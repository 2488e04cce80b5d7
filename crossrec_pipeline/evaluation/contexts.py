"""Test sessions, train and the vocabulary go in; what each prediction was made in comes out.

Made once and used for every model: rows are those of the RANKS frames.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_POSITIONS = {1: "1", 2: "2", 3: "3", 4: "4", 5: "5–9", 10: "10+"}
_LENGTHS = {2: "2", 3: "3", 4: "4", 5: "5–9", 10: "10–19", 20: "20+"}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DECILES = tuple(str(decile) for decile in range(1, 11))
_MICROSECONDS_A_DAY = 86_400_000_000

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "position": tuple(_POSITIONS.values()),
        "session_length": tuple(_LENGTHS.values()),
        "target_popularity": _DECILES,
        "first_of_type": ("yes", "no"),
        "weekday": _WEEKDAYS,
        "known_user": ("yes", "no", "anonymous"),
    }
)
"""Slices by context and their groups in order.

`position` is how many events of the session were seen (the first prediction has 1);
`session_length` counts all events of the session; `target_popularity` is the decile of the
target's train support among the items of the vocabulary, 10 the most popular; `first_of_type` is
whether the target is its session's first item of its type; `weekday` is that of the session's start
in UTC; `known_user` is whether train has sessions of the session's user."""

CONTEXTS: dict[str, pl.DataType] = {
    "session": pl.Int64(),
    "target_index": pl.Int32(),
    **{slice_: pl.Enum(groups) for slice_, groups in GROUPS.items()},
}
"""One row a prediction, ordered by session and position as in `RANKS`, one column a slice."""


def contexts(test: SessionStore, train: SessionStore, vocabulary: Vocabulary) -> pl.DataFrame:
    """Say in which group of every slice each prediction of the test sessions is.

    Parameters
    ----------
    test
        The sessions that are predicted; a piece of a session that was cut counts as a session.
    train
        Its users are the known ones.
    vocabulary
        Item types and train support.

    Returns
    -------
    pl.DataFrame
        Columns of `CONTEXTS`, `test.n_predictions` rows.
    """
    session_of_event = np.repeat(np.arange(test.n_sessions), test.lengths)
    position_of_event = np.arange(test.n_events) - np.asarray(test.offsets)[session_of_event]
    events = np.flatnonzero(position_of_event > 0)
    session, items = session_of_event[events], np.asarray(test.item_index)
    day = np.asarray(test.start_us) // _MICROSECONDS_A_DAY
    codes = {
        "position": _bracket(position_of_event[events], _POSITIONS),
        "session_length": _bracket(test.lengths, _LENGTHS)[session],
        "target_popularity": popularity_deciles(vocabulary.support)[items[events]],
        "first_of_type": ~_first_of_type(session_of_event, vocabulary.type_codes[items])[events],
        # 1970 began on a Thursday.
        "weekday": ((day + 3) % 7)[session],
        "known_user": _known_users(test, train)[session],
    }
    return pl.DataFrame(
        {
            "session": pl.Series(session, dtype=pl.Int64),
            "target_index": pl.Series(items[events], dtype=pl.Int32),
            **{
                slice_: pl.Series(GROUPS[slice_], dtype=CONTEXTS[slice_]).gather(
                    code.astype(np.int64)
                )
                for slice_, code in codes.items()
            },
        },
        schema=pl.Schema(CONTEXTS),
    )


def check_contexts(contexts: pl.DataFrame, ranks: pl.DataFrame) -> None:
    """See to it that contexts and ranks are of the same predictions, row by row.

    Raises
    ------
    EvaluationError
        If they are not.
    """
    keys = ["session", "target_index"]
    if not contexts.select(keys).equals(ranks.select(keys)):
        raise EvaluationError(
            f"The contexts are of {contexts.height:,} predictions, the ranks of {ranks.height:,}, "
            "and they are not the same ones (columns session and target_index). Make both from "
            "the same test sessions."
        )


def popularity_deciles(support: np.ndarray) -> np.ndarray:
    """Return the decile of each item by train support, from 0 to 9 (the most popular), int64 [V].

    Items of equal support are in the same one.
    """
    bounds = np.quantile(support, np.arange(1, 10) / 10)
    return np.searchsorted(bounds, support, side="left")


def _bracket(values: np.ndarray, lower_bounds: Mapping[int, str]) -> np.ndarray:
    return np.searchsorted(list(lower_bounds), values, side="right") - 1


def _first_of_type(session: np.ndarray, type_codes: np.ndarray) -> np.ndarray:
    """Tell which events are the first of their type in their session, bool [n_events]."""
    pairs = np.column_stack([session, type_codes])
    first = np.zeros(len(pairs), dtype=bool)
    first[np.unique(pairs, axis=0, return_index=True)[1]] = True
    return first


def _known_users(test: SessionStore, train: SessionStore) -> np.ndarray:
    user = test.keys["user_id"]
    known = user.is_in(train.keys["user_id"].drop_nulls().unique().implode())
    return np.where(user.is_null(), 2, np.where(known.fill_null(False), 0, 1))
