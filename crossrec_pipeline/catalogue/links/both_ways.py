"""Links, each written once, in; what each item is linked with, from both of its ends, out."""

import polars as pl


def both_ways(links: pl.DataFrame) -> pl.DataFrame:
    """List every link from each of its ends.

    Parameters
    ----------
    links
        Columns of `catalogue.schema.ITEM_LINKS`.

    Returns
    -------
    pl.DataFrame
        The same columns, twice as many rows: `item_id` is linked with `other_id`. An item's best
        link comes first.
    """
    turned = links.with_columns(
        pl.col("other_id").alias("item_id"), pl.col("item_id").alias("other_id")
    )
    return pl.concat([links, turned]).sort(
        "item_id", "score", "other_id", descending=[False, True, False]
    )
