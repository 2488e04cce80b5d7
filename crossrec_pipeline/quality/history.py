"""Staged frames in; sizes and fill rates of a build, comparable with the last good build, out."""

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl

from crossrec_pipeline.domains import DomainSpec

BUILD_HISTORY: dict[str, pl.DataType] = {
    "source": pl.String(),
    "built_at": pl.Datetime("us", "UTC"),
    "version": pl.String(),
    "rows_in": pl.Int64(),
    "rows_out": pl.Int64(),
    "rows_rejected": pl.Int64(),
    "column": pl.String(),
    "fill_rate": pl.Float64(),
}
"""One row for each source (a domain's name) and column of each build that was published."""

BUILD_HISTORY_DESCRIPTIONS: dict[str, str] = {
    "source": "The domain, such as movies",
    "built_at": "When the build was made, UTC",
    "version": "Content version of the published items",
    "rows_in": "Rows the source delivered",
    "rows_out": "Items made of them",
    "rows_rejected": "Rows that are no item of their own, merged ones included",
    "column": "A column of catalogue.items that the source fills",
    "fill_rate": "Share of the items whose value came from the source, 0 to 1",
}


def fill_rates(specs: Sequence[DomainSpec], items: pl.DataFrame) -> pl.DataFrame:
    """Compute how much of each column comes from its source.

    Parameters
    ----------
    specs
        The domains.
    items
        Staged items, by the schema `ITEMS`.

    Returns
    -------
    pl.DataFrame
        Columns source, column and fill_rate: the share of the source's items where the column is
        neither null nor imputed. One row for each column the source fills; null without items.
    """
    rates = []
    for spec in specs:
        of_source = items.filter(pl.col("item_type") == spec.item_type)
        for column in spec.by_item_column:
            from_source = pl.col(column).is_not_null() & ~pl.col("imputed").list.contains(column)
            rate = of_source.select(from_source.fill_null(False).mean()).item()
            rates.append({"source": spec.name, "column": column, "fill_rate": rate})
    names = ("source", "column", "fill_rate")
    return pl.DataFrame(rates, schema={name: BUILD_HISTORY[name] for name in names})


def sizes(
    specs: Sequence[DomainSpec],
    items: pl.DataFrame,
    rejected: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    """Count rows per source.

    Parameters
    ----------
    specs
        The domains.
    items, rejected
        Staged frames, by the schemas `ITEMS` and `REJECTED_ITEMS`.
    raw
        The delivered rows, by the name of the domain.

    Returns
    -------
    pl.DataFrame
        Columns source, rows_in, rows_out, rows_rejected; one row a source.
    """
    counts = [
        {
            "source": spec.name,
            "rows_in": raw[spec.name].height,
            "rows_out": items.filter(pl.col("item_type") == spec.item_type).height,
            "rows_rejected": rejected.filter(pl.col("item_type") == spec.item_type).height,
        }
        for spec in specs
    ]
    names = ("source", "rows_in", "rows_out", "rows_rejected")
    return pl.DataFrame(counts, schema={name: BUILD_HISTORY[name] for name in names})


def build_history(
    specs: Sequence[DomainSpec],
    items: pl.DataFrame,
    rejected: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
    built_at: dt.datetime,
    version: str,
) -> pl.DataFrame:
    """Describe one build in rows of `BUILD_HISTORY`, to append once it is published.

    Parameters
    ----------
    specs, items, rejected, raw
        As in `sizes`.
    built_at
        With a time zone.
    version
        Content version of the items.

    Returns
    -------
    pl.DataFrame
        By the schema `BUILD_HISTORY`; one row for each source and column it fills.
    """
    return (
        sizes(specs, items, rejected, raw)
        .join(fill_rates(specs, items), on="source", how="inner", maintain_order="left_right")
        .with_columns(
            built_at=pl.lit(built_at.astimezone(dt.UTC), dtype=BUILD_HISTORY["built_at"]),
            version=pl.lit(version),
        )
        .select(list(BUILD_HISTORY))
        .cast(BUILD_HISTORY)  # type: ignore[arg-type]
    )


def last_good(history: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of each source's newest build; every build in `history` was published.

    Parameters
    ----------
    history
        By the schema `BUILD_HISTORY`; empty before the first build.
    """
    newest = pl.col("built_at") == pl.col("built_at").max().over("source")
    return history.filter(newest).unique(["source", "column"], keep="last", maintain_order=True)
