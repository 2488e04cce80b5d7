"""Small content for tests: what is known of some items, by hand."""

import numpy as np
import polars as pl

from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.sessions.vocabulary import Vocabulary

TYPES = ("Book", "Movie")
GENRES = ("Crime", "Love", "War")


class Texts:
    """Text vectors by item id; items that are not named have none."""

    def __init__(self, vectors: dict[str, np.ndarray], encoder: str = "by hand") -> None:
        self.encoder = encoder
        self._vectors = vectors

    def rows(self, item_ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
        width = len(next(iter(self._vectors.values())))
        nothing = np.zeros(width, np.float32)
        found = [item_id in self._vectors for item_id in item_ids]
        rows = [self._vectors.get(item_id, nothing) for item_id in item_ids]
        return np.array(rows, np.float32).reshape(len(item_ids), width), np.array(found, bool)


def catalogue(n_items: int, first: int = 0) -> pl.DataFrame:
    """Alternate types; deal out genres and creators in turn, and leave some out."""
    numbers = range(first, first + n_items)
    return pl.DataFrame(
        {
            "item_id": [f"i{n}" for n in numbers],
            "item_type": [TYPES[n % 2] for n in numbers],
            "genres": [[GENRES[n % 3], GENRES[n % 2]] if n % 5 else ["Unknown"] for n in numbers],
            "creators": [[f"creator {n % 4}"] for n in numbers],
            "imputed": [[] if n % 5 else ["genres"] for n in numbers],
        },
        schema_overrides={"imputed": pl.List(pl.String)},
    )


def texts(n_items: int, width: int = 6, first: int = 0) -> Texts:
    """Draw a unit vector for all items but every seventh."""
    vectors = {}
    for n in range(first, first + n_items):
        vector = np.random.default_rng(n).normal(size=width).astype(np.float32)
        if n % 7:
            vectors[f"i{n}"] = vector / np.linalg.norm(vector)
    return Texts(vectors)


def vocabulary(n_items: int) -> Vocabulary:
    """Name the items of `catalogue`."""
    items = catalogue(n_items).select("item_id", "item_type")
    return Vocabulary.from_items(
        items.with_columns(pl.col("item_id").alias("title"), pl.lit(5).alias("support"))
    )


def content(n_items: int) -> ItemContent:
    """Know the items of `catalogue` and `texts`."""
    items = catalogue(n_items)
    return ItemContent.of(items.select("item_id", "item_type"), items, texts(n_items))
