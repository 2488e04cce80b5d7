"""Fitted models and sessions in; what each model lists for the same queries out, as shares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crossrec_pipeline.errors import SettingsError, TrainingError
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.candidates import (
    QUERIES_PER_BLOCK,
    ListModel,
    Lists,
    Queries,
    position_queries,
)
from crossrec_pipeline.models.hybrid.union import shares
from crossrec_pipeline.models.inner_product.factors import FactoredScorer, PositionFactors
from crossrec_pipeline.sessions.store import SessionStore

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MemberLists:
    """What the members list for a block of queries.

    Attributes
    ----------
    session, position
        Of each query, as in `PositionScores`.
    queries
        Sessions so far.
    lists
        One for each member; scores are shares of 1 over all items that the member names.
    """

    session: np.ndarray
    position: np.ndarray
    queries: Queries
    lists: Sequence[Lists]


def check_member(name: str, model: Recommender) -> None:
    """Refuse a model whose best items cannot be listed.

    Raises
    ------
    SettingsError
        If it neither lists items nor scores them by inner products.
    """
    if not isinstance(model, ListModel | FactoredScorer):
        raise SettingsError(
            f"Model {name!r} ({model.kind}) can be no member of a hybrid: it neither lists items "
            "nor scores them by inner products."
        )


def check_vocabulary(name: str, model: Recommender, n_items: int) -> None:
    """Refuse a member of another vocabulary: its item indexes are those of other items.

    Raises
    ------
    TrainingError
        If it knows another number of items.
    """
    if isinstance(model, ListModel):
        known = len(model.floor())
    else:
        assert isinstance(model, FactoredScorer)  # `check_member` has seen to it
        known = len(model.item_factors().bias)
    if known != n_items:
        raise TrainingError(
            f"Model {name!r} ({model.kind}) knows {known:,} items, and the vocabulary has "
            f"{n_items:,}. Train it on these sessions first."
        )


def lists_of_sessions(
    members: Sequence[Recommender],
    sessions: Sequence[np.ndarray],
    n_best: int,
    n_listed: int | None = None,
) -> tuple[Queries, list[Lists]]:
    """List items for whole sessions, the `n_best` of members that score all items.

    Of an item from `n_listed` on the members that list know nothing: they pass over its events,
    and list nothing for a session that has no others. None: they know all.
    """
    queries = Queries.of(sessions)
    return queries, [
        _listed(member, queries, n_listed)
        if isinstance(member, ListModel)
        else _best_of_all(member, sessions, n_best)
        for member in members
    ]


def _best_of_all(member: Recommender, sessions: Sequence[np.ndarray], n_best: int) -> Lists:
    scores = member.score(sessions)
    n_best = min(n_best, scores.shape[1])
    items = np.argpartition(-scores, n_best - 1, axis=1)[:, :n_best]
    best = np.take_along_axis(scores, items, axis=1)
    highest = scores.max(axis=1, keepdims=True)
    total = np.exp(scores - highest).sum(axis=1, keepdims=True)
    return _rectangle(items, np.exp(best - highest) / total)


def lists_of_positions(
    members: Sequence[Recommender], store: SessionStore, n_best: int, n_listed: int | None = None
) -> Iterator[MemberLists]:
    """List items for every event of a store after each session's first, each exactly once.

    Networks run through each session once for all its positions; blocks come in their order. For
    `n_listed` see `lists_of_sessions`.
    """
    factored = [member for member in members if isinstance(member, FactoredScorer)]
    if not factored:
        for session, position, queries in position_queries(store, QUERIES_PER_BLOCK):
            yield MemberLists(
                session,
                position,
                queries,
                [_listed(member, queries, n_listed) for member in members],
            )
        return
    items, offsets = np.asarray(store.item_index), np.asarray(store.offsets)
    for blocks in zip(*(member.position_factors(store) for member in factored), strict=True):
        _check_alike(blocks)
        for begin in range(0, len(blocks[0].session), QUERIES_PER_BLOCK):
            part = slice(begin, begin + QUERIES_PER_BLOCK)
            session, position = blocks[0].session[part], blocks[0].position[part]
            queries = Queries(items, offsets[session], offsets[session] + position)
            hidden = iter([block.hidden[part] for block in blocks])
            yield MemberLists(
                session,
                position,
                queries,
                [
                    _best(member, next(hidden), n_best)
                    if isinstance(member, FactoredScorer)
                    else _listed(member, queries, n_listed)
                    for member in members
                ],
            )


def _listed(member: Recommender, queries: Queries, n_listed: int | None) -> Lists:
    assert isinstance(member, ListModel)  # `check_member` has seen to it
    if n_listed is None or not np.any(queries.item_index >= n_listed):
        return shares(member.lists(queries))
    known = _only_items_below(n_listed, queries)
    is_asked = known.ends > known.begins
    lengths = np.zeros(len(queries), dtype=np.int64)
    lists = Lists(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    if is_asked.any():
        asked = Queries(known.item_index, known.begins[is_asked], known.ends[is_asked])
        lists = shares(member.lists(asked))
        lengths[is_asked] = np.diff(lists.offsets)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Lists(offsets, lists.items, lists.scores)


def _only_items_below(n_items: int, queries: Queries) -> Queries:
    """Leave the events of other items out; queries may become empty."""
    items = np.asarray(queries.item_index)
    is_kept = items < n_items
    place = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_kept)])
    return Queries(items[is_kept], place[queries.begins], place[queries.ends])


def _best(member: FactoredScorer, hidden: "Tensor", n_best: int) -> Lists:
    from crossrec_pipeline.models.inner_product.top_items import top_items  # loads torch

    items, scores, log_total = top_items(member.item_factors(), hidden, n_best)
    return _rectangle(items.cpu().numpy(), (scores - log_total[:, None]).exp().cpu().numpy())


def _check_alike(blocks: Sequence[PositionFactors]) -> None:
    first = blocks[0]
    for block in blocks[1:]:
        if not (
            np.array_equal(first.session, block.session)
            and np.array_equal(first.position, block.position)
        ):
            raise TrainingError(
                "Two members give their predictions in different orders. Take one of them only."
            )


def _rectangle(items: np.ndarray, shares: np.ndarray) -> Lists:
    n_queries, n_best = items.shape
    return Lists(
        np.arange(n_queries + 1, dtype=np.int64) * n_best,
        items.astype(np.int32).reshape(-1),
        shares.astype(np.float32).reshape(-1),
    )
