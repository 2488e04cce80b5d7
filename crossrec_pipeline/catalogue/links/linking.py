"""The catalogue's items in; links of what tells one story, or are editions of one work, out."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from crossrec_pipeline.catalogue.delivered import as_delivered
from crossrec_pipeline.catalogue.links.blocking import pairs_across, pairs_within
from crossrec_pipeline.catalogue.links.comparison import compare, person_key
from crossrec_pipeline.catalogue.links.descriptions import Descriptions
from crossrec_pipeline.catalogue.links.likeness import ItemVectors, likeness
from crossrec_pipeline.catalogue.links.scoring import (
    LEAST_SCORE,
    edition_reason,
    edition_score,
    story_reason,
    story_score,
)
from crossrec_pipeline.catalogue.links.titles import Title, read_title
from crossrec_pipeline.catalogue.schema import EDITION, ITEM_LINKS, STORY
from crossrec_pipeline.words import words


def link_items(
    items: pl.DataFrame,
    story_order: Mapping[str, int],
    vectors: ItemVectors | None = None,
    least_score: float = LEAST_SCORE,
) -> pl.DataFrame:
    """Link items that tell one story, or are editions of one work; nothing is merged.

    Parameters
    ----------
    items
        Columns of `catalogue.schema.ITEMS`, in any order.
    story_order
        The item types that tell stories, and their order: where dates do not say which of two
        works was earlier, it is the one whose type has the lower number.
    vectors
        Embeddings of the items, as one more thing that two items may agree in.
    least_score
        Pairs that score less are no links.

    Returns
    -------
    pl.DataFrame
        Columns of `ITEM_LINKS`, each pair of items once, sorted by them. Of a story the earlier
        work comes first.
    """
    # In an order of their own, so that the order of rows moves no sum and no choice.
    said = as_delivered(items).with_columns(pl.col("creators").fill_null([]))
    order = pl.col("item_type").replace_strict(
        dict(story_order), default=None, return_dtype=pl.Int64
    )
    ordered = said.sort(order, "item_type", "item_id", nulls_last=True)
    titles = [read_title(title) for title in ordered["title"]]
    telling = ordered.filter(pl.col("item_type").is_in(list(story_order))).height
    found = list(_stories(ordered[:telling], titles[:telling], vectors))
    begin = 0
    for of_type in ordered.partition_by("item_type", maintain_order=True):
        found += _editions(of_type, titles[begin : begin + of_type.height])
        begin += of_type.height
    return (
        pl.DataFrame(found, schema=ITEM_LINKS, orient="row")
        .filter(pl.col("score") >= least_score)
        .sort("item_id", "other_id")
    )


_Link = tuple[str, str, str, float, str]


def _stories(
    items: pl.DataFrame, titles: Sequence[Title], vectors: ItemVectors | None
) -> Iterator[_Link]:
    types = items["item_type"].to_list()
    pairs = pairs_across(titles, types)
    alike = None if vectors is None else likeness(items, pairs, vectors)
    descriptions = Descriptions(items, titles, [title.said for title in titles])
    ids = items["item_id"].to_list()
    for pair in compare(items, titles, pairs, descriptions, alike):
        first, second = ids[pair.left], ids[pair.right]
        if pair.years is not None and pair.years < 0:
            first, second = second, first
        reason = story_reason(pair, types[pair.left], types[pair.right])
        yield first, second, STORY, story_score(pair), reason


def _editions(items: pl.DataFrame, titles: Sequence[Title]) -> Iterator[_Link]:
    """Link items of one type; of equal dates, or without, the lower id comes first."""
    creators = items["creators"].to_list()
    pairs = pairs_within(titles, [{person_key(name) for name in names} for names in creators])
    known = [
        title.said.union(word for name in names for word in words(name))
        for title, names in zip(titles, creators, strict=True)
    ]
    descriptions = Descriptions(items, titles, known)
    ids = items["item_id"].to_list()
    for pair in compare(items, titles, pairs, descriptions):
        first, second = ids[pair.left], ids[pair.right]
        if pair.years is not None and pair.years < 0:
            first, second = second, first
        yield first, second, EDITION, edition_score(pair), edition_reason(pair)
