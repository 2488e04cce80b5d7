"""The catalogue's words on items in; numbers that can be compared out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from crossrec_pipeline.sessions.vocabulary import Vocabulary

COLUMNS = ("creators", "genres")


@dataclass(frozen=True)
class ItemAttributes:
    """Creators and genres of every item, each as numbers in rows of different lengths.

    Attributes
    ----------
    creator_offsets, creators
        Item `i` has ``creators[creator_offsets[i]:creator_offsets[i + 1]]``, ascending; int64
        [n_items + 1], int32.
    genre_offsets, genres
        Likewise.
    """

    creator_offsets: np.ndarray
    creators: np.ndarray
    genre_offsets: np.ndarray
    genres: np.ndarray

    @classmethod
    def unknown(cls, n_items: int) -> "ItemAttributes":
        """Nothing is known of any item."""
        offsets, values = np.zeros(n_items + 1, np.int64), np.zeros(0, np.int32)
        return cls(offsets, values, offsets, values)

    @classmethod
    def from_catalogue(cls, items: pl.DataFrame, vocabulary: Vocabulary) -> "ItemAttributes":
        """Take what the catalogue says as numbers; what it filled in says nothing.

        Parameters
        ----------
        items
            Columns `item_id`, `creators`, `genres` and `imputed` of `catalogue.items`.
        vocabulary
            Items that the catalogue lacks have no creators and no genres.
        """
        known = vocabulary.frame.select("item_id").join(
            items.select("item_id", *COLUMNS, "imputed"),
            on="item_id",
            how="left",
            maintain_order="left",
        )
        filled_in = [pl.col("imputed").list.contains(name).fill_null(True) for name in COLUMNS]
        return cls(
            *(
                array
                for name, filled in zip(COLUMNS, filled_in, strict=True)
                for array in _numbers(
                    known.select(
                        pl.when(filled).then(pl.lit([], pl.List(pl.String))).otherwise(pl.col(name))
                    ).to_series()
                )
            )
        )


def _numbers(words: pl.Series) -> Sequence[np.ndarray]:
    """Give each distinct word a number, without regard to case; rows become ascending."""
    row = pl.DataFrame({"row": np.arange(len(words)), "word": words}).explode("word").drop_nulls()
    numbered = (
        row.with_columns(pl.col("word").str.strip_chars().str.to_lowercase())
        .unique()
        .with_columns((pl.col("word").rank("dense") - 1).cast(pl.Int32).alias("number"))
        .sort("row", "number")
    )
    counts = np.bincount(numbered["row"].to_numpy(), minlength=len(words))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return offsets, numbered["number"].to_numpy()
