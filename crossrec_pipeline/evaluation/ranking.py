"""A model's scores of all items go in, one rank a prediction comes out: nothing is scored twice."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.models.base import EventInputReader, PositionScores
from crossrec_pipeline.models.candidates import ListScorer
from crossrec_pipeline.models.inner_product.counts import NOT_A_NUMBER
from crossrec_pipeline.models.inner_product.factors import FactoredScorer
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

RANKS: dict[str, pl.DataType] = {
    "session": pl.Int64(),
    "position": pl.Int32(),
    "source_type": pl.String(),
    "target_type": pl.String(),
    "target_index": pl.Int32(),
    "rank": pl.Int32(),
    "rank_within_type": pl.Int32(),
    "target_support": pl.Int64(),
    "rest_ranks": pl.List(pl.Int32()),
}
"""One row a prediction, ordered by session and position. `source_type` is the type of the last
seen item; `rank` is 1 for the best of all items, `rank_within_type` among the items of the
target's type; `rest_ranks` are the ranks of the distinct items from this position to the session's
end, the target's first."""

# Scores compared at once: 1 MiB of float32 and its comparison stay in a core's cache.
_SCORES_AT_ONCE = 1 << 18


class PositionScorer(Protocol):
    """Whatever scores all items at every position of a store (every `Recommender` does)."""

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        """Score every event of a store after each session's first, each exactly once."""
        ...


def rank_predictions(
    model: PositionScorer,
    store: SessionStore,
    vocabulary: Vocabulary,
    *,
    with_event_inputs: bool = False,
) -> pl.DataFrame:
    """Rank the items that came next among all items, for every event after a session's first.

    Ties count against the model: a rank is the number of items that score at least as high as the
    ranked one, itself included. A model that scores all items alike has the worst rank everywhere.

    The scores of a `FactoredScorer` are never written out (see `CompiledCounter`), nor are those
    of a `ListScorer` (see `ListCounter`).

    Parameters
    ----------
    model
        Its blocks may come in any order; one block is held at a time.
    store
        Sessions to predict.
    vocabulary
        The items that are ranked.
    with_event_inputs
        Let a model that has learnt from event inputs read those of the store. Otherwise it goes by
        item ids alone, as it does in the service, which is given nothing else.

    Returns
    -------
    pl.DataFrame
        Columns of `RANKS`, `store.n_predictions` rows.

    Raises
    ------
    EvaluationError
        If a score is not a number, a block has another shape than [P, n_items], or a prediction is
        missing, repeated or not one of the store's.
    """
    if with_event_inputs and isinstance(model, EventInputReader):
        model = model.with_event_inputs()
    sessions = _Sessions(store, vocabulary.n_items)
    rest_offsets = sessions.rest_offsets()
    rest_ranks = np.zeros(rest_offsets[-1], dtype=np.int32)
    within = np.zeros(store.n_predictions, dtype=np.int32)
    for block, prediction in _each_once(_blocks(model, store, vocabulary), sessions):
        n_rest = np.diff(rest_offsets)[prediction]
        relevant = sessions.rest_items(block.session, block.position)
        ranks, within[prediction] = block.ranks(relevant, n_rest)
        rest_ranks[_ragged_range(rest_offsets[prediction], n_rest)] = ranks
    return _frame(sessions, vocabulary, rest_ranks, rest_offsets, within)


def target_ranks(model: PositionScorer, store: SessionStore, vocabulary: Vocabulary) -> np.ndarray:
    """Rank the next item only: the column `rank` of `rank_predictions`, and nothing else.

    Returns
    -------
    int32 [n_predictions]
        Ordered by session and position.

    Raises
    ------
    EvaluationError
        As `rank_predictions` does.
    """
    sessions = _Sessions(store, vocabulary.n_items)
    target_ranks = np.zeros(store.n_predictions, dtype=np.int32)
    for block, prediction in _each_once(_blocks(model, store, vocabulary), sessions):
        targets = sessions.items[sessions.targets[prediction]]
        target_ranks[prediction], _ = block.ranks(targets, np.ones(len(targets), np.int64))
    return target_ranks


@dataclass(frozen=True)
class _Block:
    """Predictions that are ranked together.

    Attributes
    ----------
    session, position
        As in `PositionScores`.
    ranks
        Takes the items to rank, row after row, and how many there are for each row; returns their
        ranks, and the rank of each row's first item in its type.
    """

    session: np.ndarray
    position: np.ndarray
    ranks: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _blocks(model: PositionScorer, store: SessionStore, vocabulary: Vocabulary) -> Iterator[_Block]:
    if isinstance(model, FactoredScorer):
        return _factored_blocks(model, store, vocabulary)
    if isinstance(model, ListScorer):
        return _listed_blocks(model, store, vocabulary)
    return _scored_blocks(model, store, vocabulary)


def _scored_blocks(
    model: PositionScorer, store: SessionStore, vocabulary: Vocabulary
) -> Iterator[_Block]:
    counter = _RankCounter(vocabulary)
    for block in model.score_positions(store):
        scores = _checked_scores(block, vocabulary.n_items)
        yield _Block(block.session, block.position, partial(counter.ranks, scores))


def _listed_blocks(
    model: ListScorer, store: SessionStore, vocabulary: Vocabulary
) -> Iterator[_Block]:
    from crossrec_pipeline.evaluation.list_counter import ListCounter  # loads numba

    floor = model.floor()
    if floor.shape != (vocabulary.n_items,):
        raise EvaluationError(
            f"The model has a floor of shape {list(floor.shape)}; expected [{vocabulary.n_items}]."
        )
    counter = ListCounter(floor, vocabulary.type_codes)
    for block in model.position_lists(store):
        n_lists = len(block.lists)
        if n_lists != len(block.session) or block.position.shape != block.session.shape:
            raise EvaluationError(
                f"A block has {n_lists} lists for {len(block.session)} sessions and "
                f"{len(block.position)} positions; expected as many of each."
            )
        yield _Block(block.session, block.position, partial(counter.ranks, block.lists))


def _factored_blocks(
    model: FactoredScorer, store: SessionStore, vocabulary: Vocabulary
) -> Iterator[_Block]:
    from crossrec_pipeline.models.inner_product.counter import score_counter  # loads torch

    factors = model.item_factors()
    expected = (vocabulary.n_items, factors.weight.shape[-1])
    if factors.weight.shape != expected or factors.bias.shape != expected[:1]:
        raise EvaluationError(
            f"The model has vectors of shape {list(factors.weight.shape)} and biases of shape "
            f"{list(factors.bias.shape)}; expected {vocabulary.n_items} of each."
        )
    counter = score_counter(factors, vocabulary.type_codes)

    def ranks(
        hidden: "Tensor", relevant: np.ndarray, n_relevant: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        counts = counter.count(hidden, relevant, n_relevant)
        return counts.ranks, counts.within_group

    for block in model.position_factors(store):
        expected = (len(block.session), factors.weight.shape[1])
        if block.hidden.shape != expected or block.position.shape != block.session.shape:
            raise EvaluationError(
                f"A block has hidden states of shape {list(block.hidden.shape)} for "
                f"{len(block.session)} sessions and {len(block.position)} positions; expected "
                f"{list(expected)}."
            )
        yield _Block(block.session, block.position, partial(ranks, block.hidden))


def _each_once(
    blocks: Iterator[_Block], sessions: "_Sessions"
) -> Iterator[tuple[_Block, np.ndarray]]:
    """Yield each block with the numbers of its predictions; see to it that all come once."""
    seen = np.zeros(len(sessions.targets), dtype=bool)
    for block in blocks:
        prediction = sessions.prediction_numbers(block)
        _mark_seen(seen, prediction, block)
        yield block, prediction
    if not seen.all():
        session, position = sessions.place(int(np.flatnonzero(~seen)[0]))
        raise EvaluationError(
            f"The model gave no scores for {int((~seen).sum())} of {len(seen)} predictions, the "
            f"first being position {position} of session {session}. score_positions must yield "
            "every event after each session's first."
        )


def _checked_scores(block: PositionScores, n_items: int) -> np.ndarray:
    expected = (len(block.session), n_items)
    if block.scores.shape != expected or block.position.shape != block.session.shape:
        raise EvaluationError(
            f"A block has scores of shape {list(block.scores.shape)} for {len(block.session)} "
            f"sessions and {len(block.position)} positions; expected [{expected[0]}, {n_items}]."
        )
    return block.scores


def _mark_seen(seen: np.ndarray, prediction: np.ndarray, block: _Block) -> None:
    order = np.argsort(prediction, kind="stable")
    repeated_here = np.zeros(len(prediction), dtype=bool)
    repeated_here[order[1:]] = np.diff(prediction[order]) == 0
    repeated = np.flatnonzero(seen[prediction] | repeated_here)
    if len(repeated):
        at = repeated[0]
        raise EvaluationError(
            f"The model scored position {block.position[at]} of session {block.session[at]} more "
            "than once. score_positions must yield every prediction exactly once."
        )
    seen[prediction] = True


def _ragged_range(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return start, start + 1, … for each start, one range after the other, int64."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)


class _Sessions:
    """The store's events with, for each, where its item was last met in the same session."""

    def __init__(self, store: SessionStore, n_items: int) -> None:
        if store.n_events and int(store.item_index.max()) >= n_items:
            raise EvaluationError(
                f"The sessions hold item index {int(store.item_index.max())}, but the vocabulary "
                f"has {n_items} items. Evaluate with the sessions the model was trained on."
            )
        self._store = store
        self.items = np.asarray(store.item_index)
        self.offsets = np.asarray(store.offsets)
        self.session = np.repeat(np.arange(store.n_sessions), store.lengths)
        self.position = np.arange(store.n_events) - self.offsets[self.session]
        self.targets = np.flatnonzero(self.position > 0)
        self.previous = self._previous_positions()

    def _previous_positions(self) -> np.ndarray:
        """Position of the item's previous occurrence in the session, -1 for none, int64."""
        order = np.lexsort((self.items, self.session))  # stable: positions stay ascending
        same = (np.diff(self.session[order]) == 0) & (np.diff(self.items[order]) == 0)
        previous = np.full(len(order), -1, dtype=np.int64)
        previous[order[1:][same]] = self.position[order[:-1][same]]
        return previous

    def rest_offsets(self) -> np.ndarray:
        """Offsets of each prediction's distinct remaining items, int64 [n_predictions + 1].

        An event at position p is the first of its item from position q on for every q after its
        previous occurrence up to p: it adds one to all those predictions.
        """
        n_events = len(self.items)
        first_event = self.offsets[self.session]
        from_position = np.maximum(self.previous + 1, 1)
        real = from_position <= self.position
        begins = np.bincount((first_event + from_position)[real], minlength=n_events + 1)
        ends = np.bincount((first_event + self.position + 1)[real], minlength=n_events + 1)
        n_rest = np.cumsum(begins - ends)[self.targets]
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(n_rest)])

    def rest_items(self, session: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Distinct items from each position to the session's end, the target first, flat int32."""
        n_left = self.offsets[session + 1] - self.offsets[session] - position
        event = _ragged_range(self.offsets[session] + position, n_left)
        first_met = self.previous[event] < np.repeat(position, n_left)
        return self.items[event[first_met]]

    def prediction_numbers(self, block: _Block) -> np.ndarray:
        """Row of each prediction in the ranks, int64 [P]."""
        session, position = block.session, block.position
        known = (session >= 0) & (session < self._store.n_sessions)
        known[known] = (position[known] > 0) & (
            position[known] < self._store.lengths[session[known]]
        )
        if not known.all():
            at = np.flatnonzero(~known)[0]
            raise EvaluationError(
                f"The model scored position {position[at]} of session {session[at]}, which is not "
                "an event to predict. Positions start at 1 and end before the session's length."
            )
        return self.offsets[session] + position - (session + 1)

    def place(self, prediction: int) -> tuple[int, int]:
        """Return session and position of a prediction."""
        event = self.targets[prediction]
        return int(self.session[event]), int(self.position[event])


class _RankCounter:
    """Counts the items that score at least as high as given ones.

    Comparing a row with each relevant item reads it once an item; sorting it costs as much as
    about thirty such readings, and sessions seldom have that many events left. The comparison's
    bytes are counted eight at a time as bits of 64-bit words.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._n_items = vocabulary.n_items
        self._types = vocabulary.type_codes
        self._rows_at_once = max(4, _SCORES_AT_ONCE // max(self._n_items, 1))
        padded = -(-self._n_items // 8) * 8
        self._higher = np.zeros((self._rows_at_once, padded), dtype=bool)
        of_type = np.zeros((len(vocabulary.types), padded), dtype=bool)
        of_type[:, : self._n_items] = self._types == np.arange(len(vocabulary.types))[:, None]
        self._type_words = of_type.view(np.uint64)

    def ranks(
        self, scores: np.ndarray, relevant: np.ndarray, n_relevant: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank several items in each row.

        Parameters
        ----------
        scores
            float [P, n_items].
        relevant
            Items to rank, row after row, flat int.
        n_relevant
            How many for each row (at least one), int64 [P].

        Returns
        -------
        ranks, within_type
            Ranks shaped as `relevant`; rank of each row's first item in its type, int64 [P].
        """
        ranks = np.zeros(len(relevant), dtype=np.int64)
        within = np.zeros(len(scores), dtype=np.int64)
        begins = np.cumsum(n_relevant) - n_relevant
        # Rows with the most items first: those that have a j-th item are then a prefix.
        order = np.argsort(-n_relevant, kind="stable")
        for begin in range(0, len(order), self._rows_at_once):
            rows = order[begin : begin + self._rows_at_once]
            part = scores[rows]
            if np.isnan(part).any():
                raise EvaluationError(NOT_A_NUMBER)
            counts = n_relevant[rows]
            for j in range(int(counts[0])):
                n_rows = int(np.searchsorted(-counts, -j, side="left"))
                place = begins[rows[:n_rows]] + j
                item = relevant[place]
                words = self._at_least_as_high(part[:n_rows], item)
                ranks[place] = _count_bits(words)
                if j == 0:
                    within[rows] = _count_bits(words & self._type_words[self._types[item]])
        return ranks, within

    def _at_least_as_high(self, scores: np.ndarray, item: np.ndarray) -> np.ndarray:
        higher = self._higher[: len(scores)]
        threshold = scores[np.arange(len(scores)), item]
        np.greater_equal(scores, threshold[:, None], out=higher[:, : self._n_items])
        return higher.view(np.uint64)


def _count_bits(words: np.ndarray) -> np.ndarray:
    return np.bitwise_count(words).sum(axis=1, dtype=np.int64)


def _frame(
    sessions: _Sessions,
    vocabulary: Vocabulary,
    rest_ranks: np.ndarray,
    rest_offsets: np.ndarray,
    within: np.ndarray,
) -> pl.DataFrame:
    events = sessions.targets
    target = sessions.items[events]
    types = vocabulary.frame["item_type"]
    lists = pa.LargeListArray.from_arrays(pa.array(rest_offsets), pa.array(rest_ranks))
    return pl.DataFrame(
        {
            "session": sessions.session[events],
            "position": sessions.position[events],
            "source_type": types.gather(sessions.items[events - 1]),
            "target_type": types.gather(target),
            "target_index": target,
            # The target is the first of its prediction's remaining items.
            "rank": rest_ranks[rest_offsets[:-1]],
            "rank_within_type": within,
            "target_support": vocabulary.support[target],
            "rest_ranks": pl.Series(pl.from_arrow(lists)),
        }
    ).cast(pl.Schema(RANKS))  # type: ignore[arg-type]
