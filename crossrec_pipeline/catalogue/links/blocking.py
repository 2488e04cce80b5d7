"""Titles and creators in; the few pairs of items that are worth comparing out.

Comparing all pairs of n items takes n² steps. Items meet in blocks instead: those that have a way
to say the title in common, a rare word of it, or two words in a row.
"""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from crossrec_pipeline.catalogue.links.titles import Title

MOST_PAIRS = 400
"""Pairs of one block. What twenty films and twenty books are called ("Untitled"), or have in their
titles, says nothing of them, and the pairs of larger blocks would grow with the square."""

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
        (row, key, item_type)
        for row, (title, item_type) in enumerate(zip(titles, types, strict=True))
        for key in _keys(title)
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
        (row, f"{creator}\t{key}", "")
        for row, (title, names) in enumerate(zip(titles, creators, strict=True))
        for creator in names
        for key in _keys(title)
    )
    return _pairs(blocks, pl.col("group") == pl.col("group_right"))


def _keys(title: Title) -> Iterator[str]:
    """Name the blocks of an item."""
    yield from {f"={form.text}" for form in title.forms if form.text}
    yield from set(title.words)
    yield from {" ".join(two) for two in zip(title.words, title.words[1:], strict=False)}


def _blocks(entries: Iterable[tuple[int, str, str]]) -> pl.DataFrame:
    schema = {"row": pl.UInt32, "key": pl.String, "group": pl.String}
    return pl.DataFrame(list(entries), schema=schema, orient="row")


def _pairs(blocks: pl.DataFrame, meets: pl.Expr) -> pl.DataFrame:
    """Join each block with itself, but for those that are too large."""
    # Pairs of a block of n items: n² less those of one group, or those of one group alone.
    sizes = blocks.group_by("key", "group").agg(pl.len().cast(pl.Int64).alias("n"))
    sides = sizes.join(sizes, on="key").filter(meets)
    n_pairs = sides.group_by("key").agg((pl.col("n") * pl.col("n_right")).sum().alias("n_pairs"))
    # Each pair is counted from both of its ends.
    small = n_pairs.filter(pl.col("n_pairs") <= 2 * MOST_PAIRS).select("key")
    kept = blocks.join(small, on="key").select("row", "key", "group")
    return (
        kept.join(kept, on="key")
        .filter(meets, pl.col("row") < pl.col("row_right"))
        .select(pl.col("row").alias("left"), pl.col("row_right").alias("right"))
        .unique()
        .sort("left", "right")
    )
