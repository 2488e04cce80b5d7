"""A model and sessions go in, the items it would show at each position come out, best first.

Ranks say where the true item stood; these lists say what was shown instead.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.ranking import PositionScorer
from crossrec_pipeline.models.candidates import Lists, ListScorer
from crossrec_pipeline.models.inner_product.counts import NOT_A_NUMBER
from crossrec_pipeline.models.inner_product.factors import FactoredScorer
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

TOP_LISTS: dict[str, pl.DataType] = {"prediction": pl.Int64(), "items": pl.List(pl.Int32())}
"""One row a list: the row of the RANKS frame it belongs to, and item indexes, best first."""

_SCORES_AT_ONCE = 1 << 24
"""64 MiB of float32."""


@dataclass(frozen=True)
class TopLists:
    """What a model would show.

    Attributes
    ----------
    prediction
        Rows of the RANKS frame that the lists belong to, ascending, int64 [P].
    items
        Item indexes, best first, int32 [P, K].
    """

    prediction: np.ndarray
    items: np.ndarray

    def frame(self) -> pl.DataFrame:
        """Return the lists as columns of `TOP_LISTS`."""
        rows = pl.Series(self.items).arr.to_list() if self.items.size else []
        return pl.DataFrame(
            {"prediction": self.prediction, "items": rows}, schema=pl.Schema(TOP_LISTS)
        )

    @classmethod
    def of_frame(cls, frame: pl.DataFrame) -> "TopLists":
        """Take lists of equal length from what `frame` gave."""
        flat = frame["items"].explode(empty_as_null=False).to_numpy()
        n_items = len(flat) // frame.height if frame.height else 0
        return cls(frame["prediction"].to_numpy(), flat.reshape(frame.height, n_items))


@dataclass(frozen=True)
class _Block:
    """Predictions that are listed together.

    Attributes
    ----------
    session, position
        As in `PositionScores`.
    best
        Takes the rows that are wanted, int64 [W]; returns their best items, int32 [W, K].
    """

    session: np.ndarray
    position: np.ndarray
    best: Callable[[np.ndarray], np.ndarray]


def top_lists(
    model: PositionScorer,
    store: SessionStore,
    vocabulary: Vocabulary,
    k: int,
    n_predictions: int | None = None,
    seed: int = 0,
) -> TopLists:
    """List the `k` best items for predictions of a store; equal scores by item index.

    Scores are not written out for a `ListScorer`, and block by block for a `FactoredScorer`, whose
    lists are those of its exact float32 scores.

    Parameters
    ----------
    model
        Its blocks may come in any order; one block is held at a time.
    store
        Sessions to predict: every event after each session's first.
    vocabulary
        The items that can be listed.
    k
        Length of a list; all items where the vocabulary has fewer.
    n_predictions
        Lists to make at most, drawn from all predictions without replacement; None makes all.
    seed
        Of the draw.

    Raises
    ------
    EvaluationError
        If a score is not a number, a block is not of the vocabulary's size, or a prediction is
        missing.
    """
    k = min(k, vocabulary.n_items)
    wanted = _draw(store.n_predictions, n_predictions, seed)
    sessions, place_in_part = _sessions_of(store, wanted)
    part = store if len(sessions) == store.n_sessions else store.only(sessions)
    row = np.full(part.n_predictions, -1)
    row[place_in_part] = np.arange(len(wanted))
    items = np.full((len(wanted), k), -1, dtype=np.int32)
    for block in _blocks(model, part, vocabulary, k):
        rows = row[part.offsets[block.session] + block.position - (block.session + 1)]
        drawn = np.flatnonzero(rows >= 0)
        items[rows[drawn]] = block.best(drawn)
    missing = (items < 0).any(axis=1)
    if missing.any():
        raise EvaluationError(
            f"The model gave no scores for {int(missing.sum())} of {len(wanted)} predictions. "
            "Every event after each session's first must be scored."
        )
    return TopLists(wanted, items)


def _draw(n_predictions: int, n_wanted: int | None, seed: int) -> np.ndarray:
    if n_wanted is None or n_wanted >= n_predictions:
        return np.arange(n_predictions)
    drawn = np.random.default_rng(seed).choice(n_predictions, n_wanted, replace=False)
    return np.sort(drawn)


def _sessions_of(store: SessionStore, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the predictions' sessions, ascending, and their places in a store of these alone."""
    n_before = np.asarray(store.offsets) - np.arange(store.n_sessions + 1)
    session = np.searchsorted(n_before, prediction, side="right") - 1
    sessions, number = np.unique(session, return_inverse=True)
    lengths = store.lengths[sessions] - 1
    return sessions, (np.cumsum(lengths) - lengths)[number] + prediction - n_before[session]


def _blocks(
    model: PositionScorer, store: SessionStore, vocabulary: Vocabulary, k: int
) -> Iterator[_Block]:
    if isinstance(model, FactoredScorer):
        return _factored_blocks(model, store, vocabulary, k)
    if isinstance(model, ListScorer):
        return _listed_blocks(model, store, vocabulary, k)
    return _scored_blocks(model, store, vocabulary, k)


def _scored_blocks(
    model: PositionScorer, store: SessionStore, vocabulary: Vocabulary, k: int
) -> Iterator[_Block]:
    def best(scores: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        found = np.empty((len(wanted), k), dtype=np.int32)
        for rows in _row_slices(len(wanted), vocabulary.n_items):
            part = scores[wanted[rows]]
            _check_numbers(part)
            last = np.partition(part, part.shape[1] - k, axis=1)[:, -k]
            row, item = np.nonzero(part >= last[:, None])
            found[rows] = _best(row, item, part[row, item], k)
        return found

    for block in model.score_positions(store):
        _check_size(block.scores.shape[1], vocabulary)
        yield _Block(block.session, block.position, partial(best, block.scores))


def _listed_blocks(
    model: ListScorer, store: SessionStore, vocabulary: Vocabulary, k: int
) -> Iterator[_Block]:
    floor = _Floor(model.floor())
    _check_size(len(floor.scores), vocabulary)
    for block in model.position_lists(store):
        yield _Block(block.session, block.position, partial(floor.best_with, block.lists, k))


def _factored_blocks(
    model: FactoredScorer, store: SessionStore, vocabulary: Vocabulary, k: int
) -> Iterator[_Block]:
    import torch

    from crossrec_pipeline.models.inner_product.exact import exact_scores

    factors = model.item_factors()
    weight, bias = factors.weight.detach().float(), factors.bias.detach().float()
    _check_size(len(bias), vocabulary)
    exact_weight, exact_bias = weight.cpu().numpy(), bias.cpu().numpy()
    # One of the k best by its exact score is at most this share of the norms below the k-th best of
    # the product: four times the rounding error of one sum (Higham, 2002, section 3.1).
    error = 4 * (weight.shape[1] + 2) * torch.finfo(torch.float32).eps
    largest, largest_bias = weight.norm(dim=1).max(), bias.abs().max()

    def best(vectors: "Tensor", wanted: np.ndarray) -> np.ndarray:
        found = np.empty((len(wanted), k), dtype=np.int32)
        for rows in _row_slices(len(wanted), vocabulary.n_items):
            hidden = vectors[torch.from_numpy(wanted[rows]).to(vectors.device)]
            scores = torch.addmm(bias, hidden, weight.T)
            last = scores.topk(k, dim=1).values[:, -1]
            slack = error * (hidden.norm(dim=1) * largest + largest_bias)
            _check_numbers(slack.cpu().numpy())
            # Every item whose exact score may be among the k best.
            row, item = (scores >= (last - slack)[:, None]).nonzero().T.cpu().numpy()
            exact = exact_scores(hidden.cpu().numpy(), exact_weight, exact_bias, row, item)
            found[rows] = _best(row, item, exact, k)
        return found

    for block in model.position_factors(store):
        vectors = block.hidden.detach().float()
        yield _Block(block.session, block.position, partial(best, vectors))


class _Floor:
    """Scores of items that no list names, put in order once."""

    def __init__(self, scores: np.ndarray) -> None:
        _check_numbers(scores)
        self.scores = scores
        self._order = np.argsort(-scores, kind="stable")
        self._place = np.empty(len(scores), dtype=np.int64)
        self._place[self._order] = np.arange(len(scores))

    def best_with(self, lists: Lists, k: int, wanted: np.ndarray) -> np.ndarray:
        """Return the best items of some queries, those of its list having the list's scores."""
        _check_numbers(lists.scores)
        lengths = np.diff(lists.offsets)[wanted]
        # Of so many items of the floor at least k are not on the list.
        width = min(len(self.scores), k + int(lengths.max(initial=0)))
        best = np.empty((len(wanted), k), dtype=np.int32)
        for rows in _row_slices(len(wanted), width):
            entry = _ragged_range(lists.offsets[wanted[rows]], lengths[rows])
            row = np.repeat(np.arange(len(wanted[rows])), lengths[rows])
            items = lists.items[entry]
            free = np.ones((len(wanted[rows]), width), dtype=bool)
            near = self._place[items] < width
            free[row[near], self._place[items[near]]] = False
            free_row, free_place = np.nonzero(free & (np.cumsum(free, axis=1) <= k))
            unlisted = self._order[free_place]
            best[rows] = _best(
                np.concatenate([row, free_row]),
                np.concatenate([items, unlisted]),
                np.concatenate([lists.scores[entry], self.scores[unlisted]]),
                k,
            )
        return best


def _ragged_range(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return start, start + 1, … for each start, one range after the other, int64."""
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _row_slices(n_rows: int, width: int) -> Iterator[slice]:
    at_once = max(1, _SCORES_AT_ONCE // max(width, 1))
    for begin in range(0, n_rows, at_once):
        yield slice(begin, min(begin + at_once, n_rows))


def _best(row: np.ndarray, item: np.ndarray, score: np.ndarray, k: int) -> np.ndarray:
    """Return the best `k` of each row's candidates (at least so many), int32 [R, k]."""
    order = np.lexsort((item, -score, row))
    n_candidates = np.bincount(row)
    first = np.cumsum(n_candidates) - n_candidates
    return item[order][first[:, None] + np.arange(k)].astype(np.int32)


def _check_size(n_scored: int, vocabulary: Vocabulary) -> None:
    if n_scored != vocabulary.n_items:
        raise EvaluationError(
            f"The model scores {n_scored} items; expected the {vocabulary.n_items} of the "
            "vocabulary. Evaluate with the sessions the model was trained on."
        )


def _check_numbers(scores: np.ndarray) -> None:
    if np.isnan(scores).any():
        raise EvaluationError(NOT_A_NUMBER)
