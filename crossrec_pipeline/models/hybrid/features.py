"""Candidates and the sessions they are for in; what a re-ranker looks at out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.candidates import Queries
from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
from crossrec_pipeline.models.hybrid.train_facts import RECENT_SHARES, TrainFacts
from crossrec_pipeline.models.hybrid.union import Candidates

LINKED = ("linked_with_last", "linked_with_session")
_OF_ITEM_AND_SESSION = (
    "log_support",
    *(f"trend_{share:g}" for share in RECENT_SHARES),
    "age",
    "session_length",
    "share_of_repeats",
    "log_support_of_last",
    "events_since_item",
    "events_of_item",
    "type",
    "type_of_last",
    "share_of_type",
    "creators_shared_with_last",
    "creators_shared_with_session",
    "genres_shared_with_last",
    "genres_shared_with_session",
    *LINKED,
)
"""New ones come at the end: trees that were trained before look at the first ones only."""
_NEVER = 1000.0
"""Stands for a place that an item does not have: behind all that have one."""
_LEAST_SHARE = 1e-9


def feature_names(members: tuple[str, ...]) -> list[str]:
    """Name the columns of `features` for models of these names."""
    of_members = [f"{name}_{figure}" for figure in ("share", "rank") for name in members]
    return ["blend", *of_members, *_OF_ITEM_AND_SESSION]


@dataclass(frozen=True)
class ItemKnowledge:
    """All that is known of items besides what models say of them.

    Attributes
    ----------
    facts, attributes
        Of every item.
    type_codes
        int [n_items].
    """

    facts: TrainFacts
    attributes: ItemAttributes
    type_codes: np.ndarray

    def grown(self, items: pl.DataFrame, type_codes: np.ndarray) -> "ItemKnowledge":
        """Take in further items, after the others, that train has no event of.

        Parameters
        ----------
        items
            Columns `creators` and `genres`, lists of texts, and `linked`, of indexes of items.
        type_codes
            Of these items, int [M].
        """
        return ItemKnowledge(
            self.facts.grown(items.height),
            self.attributes.grown(items),
            np.concatenate([self.type_codes, type_codes.astype(self.type_codes.dtype)]),
        )


def features(
    candidates: Candidates, blend: np.ndarray, queries: Queries, items: ItemKnowledge
) -> np.ndarray:
    """Describe each candidate by what models say, by itself, and by the session so far.

    Shared creators and genres are those of the last item, or of any item of the session, as a share
    of the candidate's own; -1 where the candidate has none. Linked is 1 where the candidate tells
    the story, or is another edition, of the last item, or of any; else 0. Places are counted from
    the session's end, the last event being 0.

    Parameters
    ----------
    candidates
        Of the queries, in their order.
    blend
        Blended share of each row, float [n].
    queries
        Sessions so far.
    items
        Of all items of the vocabulary.

    Returns
    -------
    float32 [n, F]
        Columns as `feature_names` says.
    """
    shares, ranks = candidates.shares, candidates.ranks
    n_members = shares.shape[1]
    facts = items.facts
    n_features = 1 + 2 * n_members + len(_OF_ITEM_AND_SESSION)
    table = np.empty((len(candidates.items), n_features), dtype=np.float32)
    table[:, 0] = np.log(blend + _LEAST_SHARE)
    table[:, 1 : 1 + n_members] = np.log(shares + _LEAST_SHARE)
    table[:, 1 + n_members : 1 + 2 * n_members] = np.where(ranks == 0, _NEVER, ranks)
    rest = table[:, 1 + 2 * n_members :]
    rest[:, 0] = facts.log_support[candidates.items]
    rest[:, 1] = facts.trends[0][candidates.items]
    rest[:, 2] = facts.trends[1][candidates.items]
    rest[:, 3] = facts.age[candidates.items]
    attributes = items.attributes
    _of_session(
        candidates.offsets,
        candidates.items,
        queries.item_index,
        queries.begins,
        queries.ends,
        facts.log_support,
        np.asarray(items.type_codes, dtype=np.int64),
        attributes.creator_offsets,
        attributes.creators,
        attributes.genre_offsets,
        attributes.genres,
        attributes.links.offsets,
        attributes.links.values,
        rest[:, 4:],
    )
    return table


@kernel()
def _of_session(
    offsets: np.ndarray,
    candidates: np.ndarray,
    item_index: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    log_support: np.ndarray,
    type_codes: np.ndarray,
    creator_offsets: np.ndarray,
    creators: np.ndarray,
    genre_offsets: np.ndarray,
    genres: np.ndarray,
    link_offsets: np.ndarray,
    links: np.ndarray,
    table: np.ndarray,
) -> None:
    n_types = type_codes.max() + 1 if len(type_codes) else 0
    of_type = np.zeros(n_types, dtype=np.int64)
    for query in range(len(begins)):
        begin, end = begins[query], ends[query]
        last = item_index[end - 1]
        of_type[:] = 0
        n_repeats = 0
        for event in range(begin, end):
            of_type[type_codes[item_index[event]]] += 1
            for earlier in range(begin, event):
                if item_index[earlier] == item_index[event]:
                    n_repeats += 1
                    break
        for row in range(offsets[query], offsets[query + 1]):
            item = candidates[row]
            since, n_events = _NEVER, 0
            creators_of_any, genres_of_any = -1.0, -1.0
            for event in range(end - 1, begin - 1, -1):
                seen = item_index[event]
                if seen == item:
                    if n_events == 0:
                        since = end - 1 - event
                    n_events += 1
                creators_of_any = max(
                    creators_of_any, _shared(creator_offsets, creators, item, seen)
                )
                genres_of_any = max(genres_of_any, _shared(genre_offsets, genres, item, seen))
            table[row, 0] = end - begin
            table[row, 1] = n_repeats / (end - begin)
            table[row, 2] = log_support[last]
            table[row, 3] = since
            table[row, 4] = n_events
            table[row, 5] = type_codes[item]
            table[row, 6] = type_codes[last]
            table[row, 7] = of_type[type_codes[item]] / (end - begin)
            table[row, 8] = _shared(creator_offsets, creators, item, last)
            table[row, 9] = creators_of_any
            table[row, 10] = _shared(genre_offsets, genres, item, last)
            table[row, 11] = genres_of_any
            table[row, 12] = _linked(link_offsets, links, item, item_index, end - 1, end)
            table[row, 13] = _linked(link_offsets, links, item, item_index, begin, end)


@kernel()
def _linked(
    offsets: np.ndarray, links: np.ndarray, item: Any, item_index: np.ndarray, begin: Any, end: Any
) -> float:
    """Say whether an item is linked with that of any event from `begin` to `end`, 1 or 0."""
    for at in range(offsets[item], offsets[item + 1]):  # few items have links
        for event in range(begin, end):
            if links[at] == item_index[event]:
                return 1.0
    return 0.0


@kernel()
def _shared(offsets: np.ndarray, values: np.ndarray, item: Any, other: Any) -> float:
    """Return the share of an item's values that another has; -1 where the item has none."""
    at, end = offsets[item], offsets[item + 1]
    if at == end:
        return -1.0
    n_own, n_shared = end - at, 0
    other_at, other_end = offsets[other], offsets[other + 1]
    while at < end and other_at < other_end:
        if values[at] == values[other_at]:
            n_shared += 1
            at += 1
            other_at += 1
        elif values[at] < values[other_at]:
            at += 1
        else:
            other_at += 1
    return float(n_shared / n_own)
