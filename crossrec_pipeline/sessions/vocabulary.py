"""The items a model knows, in a fixed order: made from train, carried inside every bundle."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import frame_digest

VOCABULARY: dict[str, pl.DataType] = {
    "item_index": pl.Int32(),
    "item_id": pl.String(),
    "item_type": pl.String(),
    "title": pl.String(),
    "support": pl.Int64(),
}
"""`item_index` 0 … n - 1 in row order (every index is a real item: nothing is reserved for
padding); `support` counts the item's events in train."""


@dataclass(frozen=True)
class Vocabulary:
    """Known items, row `i` being item index `i`.

    Parameters
    ----------
    frame
        Columns of `VOCABULARY`, ordered by `item_index`.
    """

    frame: pl.DataFrame

    def __post_init__(self) -> None:
        if self.frame.schema != pl.Schema(VOCABULARY):
            raise ValueError(f"vocabulary has columns {dict(self.frame.schema)}, not {VOCABULARY}")
        if not np.array_equal(self.frame["item_index"].to_numpy(), np.arange(self.frame.height)):
            raise ValueError("vocabulary rows are not numbered 0, 1, 2, … by item_index")

    @classmethod
    def from_items(cls, items: pl.DataFrame) -> "Vocabulary":
        """Make a vocabulary of a frame with item_id, item_type, title, support, in its order."""
        return cls(
            items.select(
                pl.int_range(pl.len(), dtype=pl.Int32).alias("item_index"),
                *(
                    pl.col(name).cast(dtype)
                    for name, dtype in VOCABULARY.items()
                    if name != "item_index"
                ),
            )
        )

    def grown(self, items: pl.DataFrame) -> "Vocabulary":
        """Return a vocabulary that has further items after its own, of which train has no event.

        Parameters
        ----------
        items
            Columns `item_id`, `item_type` and `title`.

        Raises
        ------
        ValueError
            If an id is known already or comes twice, or a type is none of `types`: codes of types
            would change, which models have learnt by.
        """
        more = Vocabulary.from_items(items.with_columns(pl.lit(0).alias("support")))
        whole = Vocabulary.from_items(pl.concat([self.frame, more.frame]))
        ids = whole.frame["item_id"]
        if ids.is_duplicated().any():
            first = ids.filter(ids.is_duplicated())[0]
            raise ValueError(f"{first!r} is known already, or comes twice")
        if unknown := set(whole.types) - set(self.types):
            raise ValueError(f"items of the type {min(unknown)!r} are not among {self.types}")
        return whole

    @property
    def n_items(self) -> int:
        """Number of known items."""
        return self.frame.height

    @cached_property
    def item_ids(self) -> list[str]:
        """Item ids by item index."""
        return self.frame["item_id"].to_list()

    @cached_property
    def support(self) -> np.ndarray:
        """Events in train by item index, int64 [n_items]."""
        return self.frame["support"].to_numpy()

    @cached_property
    def types(self) -> list[str]:
        """The item types present, sorted; positions are the codes of `type_codes`."""
        return sorted(self.frame["item_type"].unique().to_list())

    @cached_property
    def type_codes(self) -> np.ndarray:
        """Code of each item's type, int8 [n_items]."""
        codes = {name: code for code, name in enumerate(self.types)}
        return np.array([codes[name] for name in self.frame["item_type"].to_list()], dtype=np.int8)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {item_id: index for index, item_id in enumerate(self.item_ids)}

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._index

    def index_of(self, item_id: str) -> int:
        """Return the item index of an id; raises KeyError for an unknown one."""
        return self._index[item_id]

    def encode(self, item_ids: Iterable[str]) -> np.ndarray:
        """Return the item indexes of ids, int32; raises KeyError for an unknown one."""
        return np.array([self._index[item_id] for item_id in item_ids], dtype=np.int32)

    @property
    def digest(self) -> str:
        """Content version."""
        return frame_digest(self.frame)

    def save(self, path: Path) -> None:
        """Write as Parquet, whole or not at all."""
        with atomic_file(path) as partial:
            self.frame.write_parquet(partial)

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote."""
        return cls(pl.read_parquet(path))
