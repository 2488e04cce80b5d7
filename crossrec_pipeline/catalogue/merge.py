"""From rows to works: rows with one natural key become one row; the others are named as merged."""

import polars as pl

DUPLICATE = "duplicate"
MERGED_INTO = "merged_into"
MERGE_REASONS = (DUPLICATE, MERGED_INTO)
"""Reasons of rejected rows that are no loss: their work is an item."""


def merge_works(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Merge the rows of one work into its first row.

    Lists are united over the rows, in order of appearance (a track listed under several genres
    has all of them). What the first row lacks is taken from the next that has it.

    Parameters
    ----------
    rows
        `natural_key`, `source`, `source_row`, `repeats` (whether an earlier row says exactly the
        same) and any number of values.

    Returns
    -------
    works, merged
        The first row of every work, completed, in the order given; and the other rows as they
        were, with `reason` (one of `MERGE_REASONS`) and `detail` (the row kept).
    """
    key = "natural_key"
    first = pl.col(key).is_first_distinct()
    merged = (
        rows.with_columns(
            pl.col("source").first().over(key).alias("kept_source"),
            pl.col("source_row").first().over(key).alias("kept_row"),
        )
        .filter(~first)
        .with_columns(
            pl.when("repeats")
            .then(pl.lit(DUPLICATE))
            .otherwise(pl.lit(MERGED_INTO))
            .alias("reason"),
            pl.format(
                "{} row {}{}",
                pl.when("repeats").then(pl.lit("same as")).otherwise(pl.lit("same work as")),
                "kept_row",
                pl.when(pl.col("kept_source") == pl.col("source"))
                .then(pl.lit(""))
                .otherwise(pl.format(" of {}", "kept_source")),
            ).alias("detail"),
        )
    )
    works = rows.filter(first).drop("repeats")
    if merged.is_empty():
        return works, merged
    several = (
        rows.join(merged.select(key).unique(), on=key, how="semi")
        .group_by(key, maintain_order=True)
        .agg(_united(name, dtype) for name, dtype in works.schema.items() if name != key)
    )
    completed = works.select(key).join(several, on=key, how="inner", maintain_order="left")
    return works.update(completed, on=key, how="left"), merged


def _united(name: str, dtype: pl.DataType) -> pl.Expr:
    if not isinstance(dtype, pl.List):
        return pl.col(name).drop_nulls().first()
    elements = pl.col(name).drop_nulls().explode().drop_nulls().unique(maintain_order=True)
    return pl.when(elements.len() > 0).then(elements.implode())
