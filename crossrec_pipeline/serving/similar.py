"""Embeddings of items in; for each item the ids of those that are nearest, of each type, out.

``<serving_dir>/similar.parquet`` keeps them for exports to come: they follow from the embeddings
alone, and of a large catalogue they take a minute.
"""

from pathlib import Path

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.content.embeddings import ItemEmbeddings
from crossrec_pipeline.content.neighbours import nearest_by_type
from crossrec_pipeline.errors import BundleError

SIMILAR_FILE = "similar.parquet"
MOST_SIMILAR = 3
"""Items of each type."""
SIMILAR: dict[str, pl.DataType] = {"item_id": pl.String(), "similar": pl.List(pl.String())}
"""`similar` has the ids of one type after those of another, nearest first."""

_MADE_OF = "crossrec_embeddings"


def write_similar(embeddings: ItemEmbeddings, serving_dir: Path) -> Path:
    """Find and keep what is nearest to each item, unless that of these embeddings is kept.

    Parameters
    ----------
    embeddings
        Of the catalogue's items.
    serving_dir
        Holds the exports.
    """
    path = serving_dir / SIMILAR_FILE
    made_of = f"{embeddings.version}/{MOST_SIMILAR}"
    if _made_of(path) != made_of:
        found = similar_items(embeddings)
        with atomic_file(path) as partial:
            found.write_parquet(partial, metadata={_MADE_OF: made_of})
    return path


def similar_items(embeddings: ItemEmbeddings) -> pl.DataFrame:
    """Find the nearest items of each type, an item's own included.

    Returns
    -------
    pl.DataFrame
        Columns of `SIMILAR`, one row an item. Items without words have none, and are none's.
    """
    near = nearest_by_type(embeddings.vectors, embeddings.item_types, MOST_SIMILAR)
    rows = near.rows.reshape(len(near.rows), len(near.types) * MOST_SIMILAR)
    # The last is NOBODY's, whose row is -1.
    item_ids = np.array([*embeddings.item_ids, None], dtype=object)
    lists = pl.Series("similar", item_ids[rows].tolist(), dtype=SIMILAR["similar"])
    ids = pl.Series("item_id", list(embeddings.item_ids), dtype=pl.String())
    return pl.DataFrame([ids, lists.list.drop_nulls()])


def read_similar(serving_dir: Path) -> pl.DataFrame:
    """Read what `write_similar` kept; without rows where it kept nothing.

    Raises
    ------
    BundleError
        If it is damaged.
    """
    path = serving_dir / SIMILAR_FILE
    if not path.exists():
        return pl.DataFrame(schema=SIMILAR)
    try:
        return pl.read_parquet(path, columns=list(SIMILAR))
    except (OSError, PolarsError) as error:
        raise BundleError(
            f"{path} cannot be read ({error}). Delete it: `crossrec run` makes it again."
        ) from error


def _made_of(path: Path) -> str | None:
    try:
        return pl.read_parquet_metadata(path).get(_MADE_OF)
    except (OSError, PolarsError):
        return None
