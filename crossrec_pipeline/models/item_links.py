"""Pairs of items that belong together in; the indexes of what each item is linked with out."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

INDEXES = pl.List(pl.Int32())


@dataclass(frozen=True)
class LinkedItems:
    """What each item is linked with, as indexes of items in rows of different lengths.

    Attributes
    ----------
    offsets, values
        Item `i` is linked with ``values[offsets[i]:offsets[i + 1]]``, ascending and never with
        itself; int64 [n_items + 1], int32. Each link is there from both of its ends.
    """

    offsets: np.ndarray
    values: np.ndarray

    @classmethod
    def none(cls, n_items: int) -> "LinkedItems":
        """Nothing is linked with anything."""
        return cls(np.zeros(n_items + 1, np.int64), np.zeros(0, np.int32))

    @classmethod
    def of(cls, links: pl.DataFrame, item_ids: pl.Series) -> "LinkedItems":
        """Look the ends of links up among items; links of other items are left out.

        Parameters
        ----------
        links
            Columns `item_id` and `other_id` of `catalogue.item_links`, in any order.
        item_ids
            Each item's id, in the order of the indexes.
        """
        ids = pl.DataFrame({"item_id": item_ids, "row": np.arange(len(item_ids))})
        pairs = (
            links.select("item_id", "other_id")
            .join(ids, on="item_id")
            .join(ids, left_on="other_id", right_on="item_id", suffix="_of_other")
        )
        one, other = pairs["row"].to_numpy(), pairs["row_of_other"].to_numpy()
        return cls._from_both_ends(one, other, len(item_ids))

    @property
    def n_items(self) -> int:
        """Number of items, linked or not."""
        return len(self.offsets) - 1

    def rows_from(self, item: int) -> pl.Series:
        """List what items are linked with, from one index on; as `INDEXES`."""
        rows = [self.values[a:b].tolist() for a, b in pairwise(self.offsets[item:])]
        return pl.Series(rows, dtype=INDEXES)

    def grown(self, rows: pl.Series) -> "LinkedItems":
        """Take in further items, after the others, which get these links too.

        Parameters
        ----------
        rows
            What each of the further items is linked with: indexes of known and of further items.
        """
        n_items = self.n_items + len(rows)
        items = np.repeat(np.arange(self.n_items), np.diff(self.offsets))
        further = np.repeat(np.arange(self.n_items, n_items), rows.list.len().to_numpy())
        others = rows.explode().drop_nulls().to_numpy()
        return self._from_both_ends(
            np.concatenate([items, further]), np.concatenate([self.values, others]), n_items
        )

    @classmethod
    def _from_both_ends(cls, one: np.ndarray, other: np.ndarray, n_items: int) -> "LinkedItems":
        """Make rows of pairs that are written once, twice, or more often."""
        differ = one != other
        one, other = one[differ].astype(np.int64), other[differ].astype(np.int64)
        pairs = np.unique(np.concatenate([one * n_items + other, other * n_items + one]))
        items, others = np.divmod(pairs, max(n_items, 1))
        counts = np.bincount(items, minlength=n_items)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return cls(offsets, others.astype(np.int32))
