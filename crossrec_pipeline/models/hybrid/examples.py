"""Blocks of queries with what came next in; one table to learn from out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.models.candidates import Queries
from crossrec_pipeline.models.hybrid.members import MemberLists
from crossrec_pipeline.models.hybrid.union import Candidates, union
from crossrec_pipeline.sessions.store import SessionStore


@dataclass(frozen=True)
class Examples:
    """Predictions whose outcome is known.

    Attributes
    ----------
    session
        Of each query, int64 [Q].
    queries
        Sessions so far.
    targets
        Items that came next, int32 [Q].
    candidates
        Of each query.
    """

    session: np.ndarray
    queries: Queries
    targets: np.ndarray
    candidates: Candidates

    @classmethod
    def of(
        cls, blocks: Sequence[MemberLists], store: SessionStore, n_items: int, n_best: int
    ) -> "Examples":
        """Put blocks of a store's predictions together."""
        tables = [union(block.lists, n_items, n_best) for block in blocks]
        session = np.concatenate([block.session for block in blocks])
        position = np.concatenate([block.position for block in blocks])
        begins = np.asarray(store.offsets)[session]
        items = np.asarray(store.item_index)
        lengths = np.concatenate([np.diff(table.offsets) for table in tables])
        return cls(
            session,
            Queries(items, begins, begins + position),
            items[begins + position],
            Candidates(
                np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
                np.concatenate([table.items for table in tables]),
                np.concatenate([table.shares for table in tables]),
                np.concatenate([table.ranks for table in tables]),
            ),
        )

    def only(self, chosen: np.ndarray) -> "Examples":
        """Return some of the queries, bool [Q]."""
        return Examples(
            self.session[chosen],
            Queries(
                self.queries.item_index, self.queries.begins[chosen], self.queries.ends[chosen]
            ),
            self.targets[chosen],
            self.candidates.of(chosen),
        )
