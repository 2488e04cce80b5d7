"""Catalogue items and a model's vocabulary in; what is shown of each item, one row each, out."""

from collections import Counter

import polars as pl

from crossrec_pipeline.catalogue.delivered import as_delivered
from crossrec_pipeline.sessions.vocabulary import Vocabulary

CATALOGUE: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "item_type": pl.String(),
    "title": pl.String(),
    "creators": pl.List(pl.String()),
    "genres": pl.List(pl.String()),
    "description": pl.String(),
    "release_date": pl.Date(),
    "popularity": pl.Float64(),
}
"""What is shown of a catalogue's items. What the source did not say is null, or an empty list."""

DETAILS: dict[str, pl.DataType] = {
    **CATALOGUE,
    "item_index": pl.Int32(),
    "train_events": pl.Int64(),
}
"""The same with what one model knows: row `i` is the item of index `i`, and below the known items
come the others, whose `item_index` is null and whose `train_events` are 0."""

TELLING_SHARE = 1 / 3
"""A genre that a larger share of a type has says nothing of an item of that type."""


def catalogue_details(items: pl.DataFrame) -> pl.DataFrame:
    """Take from `catalogue.items` what is shown, without what was filled in.

    Parameters
    ----------
    items
        Columns of `catalogue.schema.ITEMS`.

    Returns
    -------
    pl.DataFrame
        Columns of `CATALOGUE`, in the order given.
    """
    said = as_delivered(items)
    return said.select(pl.col(name).cast(dtype) for name, dtype in CATALOGUE.items())


def item_details(catalogue: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    """Join what the catalogue says of items and what a model knows of them.

    Parameters
    ----------
    catalogue
        Columns of `CATALOGUE`; empty where there is none.
    vocabulary
        The items a model knows. Those that are not in the catalogue have id, type and title only.

    Returns
    -------
    pl.DataFrame
        Columns of `DETAILS`. Unknown items are ordered by popularity, then id.
    """
    known = vocabulary.frame.select(
        "item_id",
        "item_index",
        pl.col("item_type").alias("known_type"),
        pl.col("title").alias("known_title"),
        pl.col("support").alias("train_events"),
    )
    joined = catalogue.join(known, on="item_id", how="full", coalesce=True)
    return (
        joined.with_columns(
            pl.coalesce("item_type", "known_type").alias("item_type"),
            pl.coalesce("title", "known_title").alias("title"),
            pl.col("creators", "genres").fill_null([]),
            pl.col("train_events").fill_null(0),
        )
        .sort(
            "item_index",
            "popularity",
            "item_id",
            descending=[False, True, False],
            nulls_last=True,
        )
        .select(pl.col(name).cast(dtype) for name, dtype in DETAILS.items())
    )


def common_genres(details: pl.DataFrame) -> dict[str, list[str]]:
    """List the genres of each type, casefolded, that more than `TELLING_SHARE` of its items have.

    A genre that one item alone has is not among them, however few items of the type there are.

    Parameters
    ----------
    details
        Columns of `DETAILS`.
    """
    found: dict[str, list[str]] = {}
    for (item_type,), items in details.group_by("item_type"):
        genres = items.select(pl.col("genres").list.unique()).explode("genres")["genres"]
        counts = Counter(genre.casefold() for genre in genres.drop_nulls())
        most = max(1, TELLING_SHARE * items.height)
        found[str(item_type)] = sorted(genre for genre, n in counts.items() if n > most)
    return found
