"""Items that came after a model's training in; one Parquet file beside its bundle out, and back."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import frame_digest
from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.gru4rec.new_rows import NewRows
from crossrec_pipeline.models.item_links import INDEXES

ITEM_COLUMNS: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "item_type": pl.String(),
    "title": pl.String(),
    "creators": pl.List(pl.String()),
    "genres": pl.List(pl.String()),
    "linked": INDEXES,
}
"""What the catalogue says of the items; lists are empty where it says nothing.

`linked` are the indexes of the items that an item is linked with, those of the vocabulary first and
then those of the additions. It is empty for models that look at no links.
"""


@dataclass(frozen=True, eq=False)
class Additions(NewRows):
    """Items that a model was not trained on, and what it takes to score them.

    Attributes
    ----------
    items
        Columns of `ITEM_COLUMNS`, row by row with the vectors, ordered by id.
    """

    items: pl.DataFrame

    @classmethod
    def none(cls) -> Self:
        """Nothing is added."""
        nothing = np.zeros((0, 0), np.float32)
        return cls(nothing, nothing, np.zeros(0, np.float32), pl.DataFrame(schema=ITEM_COLUMNS))

    @property
    def n_items(self) -> int:
        """Number of items, M."""
        return self.items.height

    @cached_property
    def by_type(self) -> dict[str, int]:
        """Number of items of each type that there are any of, by name."""
        counts = self.items.group_by("item_type").len().sort("item_type")
        return dict(counts.iter_rows())

    @cached_property
    def frame(self) -> pl.DataFrame:
        """All of it, one row an item: vectors are arrays of float32."""
        return self.items.with_columns(
            pl.Series("input_vector", self.vectors),
            pl.Series("output_vector", self.weight),
            pl.Series("bias", self.bias),
        )

    @cached_property
    def version(self) -> str:
        """Content version."""
        return frame_digest(self.frame)

    def save(self, path: Path) -> None:
        """Write as Parquet, whole or not at all."""
        with atomic_file(path) as partial:
            self.frame.write_parquet(partial)

    @classmethod
    def open(cls, path: Path, version: str) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        path
            The file.
        version
            What it must hold.

        Raises
        ------
        BundleError
            If it cannot be read, or holds something else.
        """
        try:
            frame = pl.read_parquet(path)
            found = cls(
                frame["input_vector"].to_numpy(writable=True),
                frame["output_vector"].to_numpy(writable=True),
                frame["bias"].to_numpy(writable=True),
                frame.select(pl.col(name).cast(dtype) for name, dtype in ITEM_COLUMNS.items()),
            )
            same = found.version == version
        except (OSError, PolarsError) as error:
            raise BundleError(f"{path} cannot be read ({error}). {_REMEDY}") from error
        if not same:
            raise BundleError(
                f"{path} holds {found.version}, but {version} was written: it was altered. "
                f"{_REMEDY}"
            )
        return found


_REMEDY = "Delete the serving export: it is made anew, with these items by `crossrec run`."
