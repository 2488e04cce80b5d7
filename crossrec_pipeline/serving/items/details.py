"""Items, their links, a model's vocabulary in; what is shown of each item, one row each, out."""

from collections import Counter

import polars as pl

from crossrec_pipeline.catalogue.delivered import as_delivered
from crossrec_pipeline.catalogue.links.both_ways import both_ways
from crossrec_pipeline.catalogue.schema import EDITION, STORY
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
    "same_story": pl.List(pl.String()),
    "same_work": pl.List(pl.String()),
}
"""What is shown of a catalogue's items. What the source did not say is null, or an empty list;
`same_story` and `same_work` (other editions) hold ids of items."""

DETAILS: dict[str, pl.DataType] = {
    **CATALOGUE,
    "item_index": pl.Int32(),
    "train_events": pl.Int64(),
    "similar": pl.List(pl.Int32()),
}
"""The same with what one model knows: row `i` is the item of index `i`, and below the known items
come the others, whose `item_index` is null and whose `train_events` are 0. `similar` has the rows
of the items that are nearest by their words, those of one type after those of another."""

TELLING_SHARE = 1 / 3
"""A genre that a larger share of a type has says nothing of an item of that type."""


def catalogue_details(items: pl.DataFrame, links: pl.DataFrame | None = None) -> pl.DataFrame:
    """Take from `catalogue.items` what is shown, without what was filled in, and its links.

    Parameters
    ----------
    items
        Columns of `catalogue.schema.ITEMS`.
    links
        Columns of `catalogue.schema.ITEM_LINKS`; None where nothing is linked.

    Returns
    -------
    pl.DataFrame
        Columns of `CATALOGUE`, in the order given.
    """
    said = as_delivered(items)
    for name, kind in (("same_story", STORY), ("same_work", EDITION)):
        said = said.join(
            _linked(links, kind, name), on="item_id", how="left", maintain_order="left"
        ).with_columns(pl.col(name).fill_null([]))
    return said.select(pl.col(name).cast(dtype) for name, dtype in CATALOGUE.items())


def _linked(links: pl.DataFrame | None, kind: str, name: str) -> pl.DataFrame:
    """List what each item is linked with, the best first."""
    if links is None:
        return pl.DataFrame(schema={"item_id": pl.String(), name: CATALOGUE[name]})
    ends = both_ways(links.filter(pl.col("kind") == kind))
    return ends.group_by("item_id", maintain_order=True).agg(pl.col("other_id").alias(name))


def item_details(
    catalogue: pl.DataFrame, vocabulary: Vocabulary, similar: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Join what the catalogue says of items, what a model knows of them, and what is near them.

    Parameters
    ----------
    catalogue
        Columns of `CATALOGUE`; empty where there is none.
    vocabulary
        The items a model knows. Those that are not in the catalogue have id, type and title only.
    similar
        Columns of `similar.SIMILAR`, where it is known what is near what. Items of which nothing
        else is known are passed over.

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
    details = (
        joined.with_columns(
            pl.coalesce("item_type", "known_type").alias("item_type"),
            pl.coalesce("title", "known_title").alias("title"),
            pl.col("creators", "genres", "same_story", "same_work").fill_null([]),
            pl.col("train_events").fill_null(0),
        )
        .sort(
            "item_index",
            "popularity",
            "item_id",
            descending=[False, True, False],
            nulls_last=True,
        )
        .with_row_index("row")
    )
    near = _near_rows(details, similar)
    joined = details.join(near, on="item_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("similar").fill_null([])).select(
        pl.col(name).cast(dtype) for name, dtype in DETAILS.items()
    )


def _near_rows(details: pl.DataFrame, similar: pl.DataFrame | None) -> pl.DataFrame:
    """Put rows in place of the ids of similar items."""
    if similar is None:
        return pl.DataFrame(schema={"item_id": pl.String(), "similar": DETAILS["similar"]})
    row_of = details.select(pl.col("item_id").alias("similar"), pl.col("row").cast(pl.Int32))
    return (
        similar.explode("similar")
        .join(row_of, on="similar", how="inner", maintain_order="left")
        .group_by("item_id", maintain_order=True)
        .agg(pl.col("row").alias("similar"))
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
