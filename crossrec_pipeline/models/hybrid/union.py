"""Lists of several models in; one table of candidates with what each model says of them out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.candidates import Lists


@dataclass(frozen=True)
class Candidates:
    """Items that one model or another names, query after query.

    Attributes
    ----------
    offsets
        Query `q` has rows ``offsets[q]`` to ``offsets[q + 1]`` of the others, int64 [Q + 1].
    items
        Distinct within a query, int32 [n].
    shares
        Each member's share, 0 where it does not name the item, float32 [n, M].
    ranks
        Place on each member's list, from 1; 0 where it does not name the item, int32 [n, M].
    """

    offsets: np.ndarray
    items: np.ndarray
    shares: np.ndarray
    ranks: np.ndarray

    @property
    def n_queries(self) -> int:
        """Number of queries, Q."""
        return len(self.offsets) - 1

    @property
    def query(self) -> np.ndarray:
        """Query of each row, int64 [n]."""
        return np.repeat(np.arange(self.n_queries), np.diff(self.offsets))

    def of(self, chosen: np.ndarray) -> "Candidates":
        """Return the candidates of some of the queries, bool [Q]."""
        row = chosen[self.query]
        lengths = np.diff(self.offsets)[chosen]
        return Candidates(
            np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            self.items[row],
            self.shares[row],
            self.ranks[row],
        )


def shares(lists: Lists) -> Lists:
    """Divide scores, all above 0, by their sum over the list."""
    lengths = np.diff(lists.offsets)
    query = np.repeat(np.arange(len(lengths)), lengths)
    totals = np.bincount(query, weights=lists.scores, minlength=len(lengths))
    return Lists(lists.offsets, lists.items, (lists.scores / totals[query]).astype(np.float32))


def union(members: Sequence[Lists], n_items: int, n_best: int) -> Candidates:
    """Put each model's best items together.

    Parameters
    ----------
    members
        One for each model, of the same queries; scores are shares.
    n_items
        Size of the vocabulary.
    n_best
        How many of each list are taken: those of the highest shares, equal ones as listed.
    """
    sizes = np.array([len(lists.items) for lists in members])
    before = (np.cumsum(sizes) - sizes)[:, None]
    offsets = np.stack([lists.offsets for lists in members]) + before
    n_rows = np.minimum(np.diff(offsets), n_best).sum()
    items = np.empty(n_rows, dtype=np.int32)
    table = np.zeros((n_rows, len(members)), dtype=np.float32)
    ranks = np.zeros((n_rows, len(members)), dtype=np.int32)
    ends = _unite(
        offsets,
        np.concatenate([lists.items for lists in members]),
        np.concatenate([lists.scores for lists in members]),
        n_best,
        np.full(n_items, -1, dtype=np.int64),
        items,
        table,
        ranks,
    )
    n = ends[-1]
    return Candidates(ends, items[:n], table[:n], ranks[:n])


@kernel()
def _unite(
    offsets: np.ndarray,
    listed: np.ndarray,
    scores: np.ndarray,
    n_best: int,
    row_of_item: np.ndarray,
    items: np.ndarray,
    table: np.ndarray,
    ranks: np.ndarray,
) -> np.ndarray:
    """Fill items, table and ranks; return the offsets. `row_of_item` begins with -1."""
    n_members, n_queries = offsets.shape[0], offsets.shape[1] - 1
    ends = np.zeros(n_queries + 1, dtype=np.int64)
    n = 0
    for query in range(n_queries):
        first = n
        for member in range(n_members):
            begin, end = offsets[member, query], offsets[member, query + 1]
            order = np.argsort(-scores[begin:end], kind="mergesort")
            for rank in range(min(n_best, end - begin)):
                entry = begin + order[rank]
                item = listed[entry]
                # Rows of earlier queries are below the first of this one.
                if row_of_item[item] < first:
                    row_of_item[item] = n
                    items[n] = item
                    n += 1
                table[row_of_item[item], member] = scores[entry]
                ranks[row_of_item[item], member] = rank + 1
        ends[query + 1] = n
    return ends
