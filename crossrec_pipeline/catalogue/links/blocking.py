"""Titles and creators in; the few pairs of items that are worth comparing out.

Comparing all pairs of n items takes n² steps. Items meet in blocks instead: those that have a way
to say the title in common, a rare word of it, or two words in a row.
"""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from crossrec_pipeline.catalogue.links.titles import Title

MOST_PAIRS_OF_A_TITLE = 2_500
"""Pairs of one block of items that are called the same. Fifty films and fifty books of one name
("Untitled") say nothing of one another, and their pairs would grow with the square."""
MOST_PAIRS_OF_A_WORD = 400
"""Pairs of one block of items that share a word or two: what more items have is not rare."""

PAIRS: dict[str, pl.DataType] = {"left": pl.UInt32(), "right": pl.UInt32()}
"""Rows of two items, the lower one first."""


def pairs_across(titles: Sequence[Title], types: Sequence[str]) -> pl.DataFrame:
    """List the pairs of items of different types that may tell one story.

    Parameters
    ----------
    titles, types
        Of all items.

    Returns
    -------
    pl.DataFrame
        Columns of `PAIRS`, each pair once, in order.
    """
    blocks = _blocks(
        (row, key, item_type, limit)
        for row, (title, item_type) in enumerate(zip(titles, types, strict=True))
        for key, limit in _keys(title)
    )
    return _pairs(blocks, pl.col("group") != pl.col("group_right"))


def pairs_within(titles: Sequence[Title], creators: Sequence[Iterable[str]]) -> pl.DataFrame:
    """List the pairs of items of one creator that may be editions of one work.

    Parameters
    ----------
    titles
        Of all items, which are of one type.
    creators
        Keys of the creators of each item.

    Returns
    -------
    pl.DataFrame
        Columns of `PAIRS`, each pair once, in order.
    """
    blocks = _blocks(
        (row, f"{creator}\t{key}", "", limit)
        for row, (title, names) in enumerate(zip(titles, creators, strict=True))
        for creator in names
        for key, limit in _keys(title)
    )
    return _pairs(blocks, pl.col("group") == pl.col("group_right"))


def _keys(title: Title) -> Iterator[tuple[str, int]]:
    """Name the blocks of an item, each with how many pairs it may have."""
    for text in {form.text for form in title.forms}:
        if text:
            yield f"={text}", MOST_PAIRS_OF_A_TITLE
    for word in set(title.words):
        yield word, MOST_PAIRS_OF_A_WORD
    for two in set(zip(title.words, title.words[1:], strict=False)):
        yield " ".join(two), MOST_PAIRS_OF_A_WORD


def _blocks(entries: Iterable[tuple[int, str, str, int]]) -> pl.DataFrame:
    schema = {"row": pl.UInt32, "key": pl.String, "group": pl.String, "limit": pl.Int64}
    return pl.DataFrame(list(entries), schema=schema, orient="row")


def _pairs(blocks: pl.DataFrame, meets: pl.Expr) -> pl.DataFrame:
    """Join each block with itself, but for those that are too large."""
    # Pairs of a block of n items: n² less those of one group, or those of one group alone.
    sizes = blocks.group_by("key", "group").agg(pl.len().alias("n"), pl.col("limit").first())
    sides = sizes.join(sizes.select("key", "group", "n"), on="key").filter(meets)
    n_pairs = sides.group_by("key").agg(
        (pl.col("n").cast(pl.Int64) * pl.col("n_right")).sum().alias("n_pairs"),
        pl.col("limit").first(),
    )
    # Each pair is counted from both of its ends.
    small = n_pairs.filter(pl.col("n_pairs") <= 2 * pl.col("limit")).select("key")
    kept = blocks.join(small, on="key").select("row", "key", "group")
    return (
        kept.join(kept, on="key")
        .filter(meets, pl.col("row") < pl.col("row_right"))
        .select(pl.col("row").alias("left"), pl.col("row_right").alias("right"))
        .unique()
        .sort("left", "right")
    )
