"""From text cells to the typed columns a domain declares, and what could not be parsed."""

import polars as pl

from crossrec_pipeline.domains import DomainSpec

PLACE = ("source", "source_row")
"""Where a row came from: columns beside the declared ones."""


def parse_columns(frame: pl.DataFrame, spec: DomainSpec) -> pl.DataFrame:
    """Parse every declared column of a raw catalogue, row by row.

    Parameters
    ----------
    frame
        The columns `spec` declares, as text, and those of `PLACE`.
    spec
        The domain.

    Returns
    -------
    pl.DataFrame
        The same rows and column names; cells that are empty or cannot be parsed are null.
    """
    return frame.select(
        *(column.parse(pl.col(column.name)).alias(column.name) for column in spec.columns),
        *PLACE,
    )


def is_blank(cell: pl.Expr) -> pl.Expr:
    """Whether a text cell is null, only white space, or an empty list (``[]``)."""
    return cell.is_null() | cell.str.contains(r"^\s*(\[\s*\])?\s*$")


def unparseable(raw: pl.DataFrame, parsed: pl.DataFrame, spec: DomainSpec) -> pl.DataFrame:
    """Say which cells hold something that could not be parsed.

    Returns
    -------
    pl.DataFrame
        Boolean, one column for each declared column, the rows of `raw`.
    """
    return raw.select(
        (~is_blank(pl.col(column.name)) & parsed[column.name].is_null()).alias(column.name)
        for column in spec.columns
    )
