"""Items in; the same items without what was filled in, out: what their sources say of them."""

import polars as pl

from crossrec_pipeline.domains import NO_CREATOR, NO_DESCRIPTION, UNKNOWN_GENRE


def as_delivered(items: pl.DataFrame) -> pl.DataFrame:
    """Leave out what was filled in, and marks of missing values that a source uses itself.

    Parameters
    ----------
    items
        Columns of `catalogue.schema.ITEMS`.

    Returns
    -------
    pl.DataFrame
        The same rows and columns. What the source did not say is null, or an empty list.
    """
    filled = {
        name: pl.col("imputed").list.contains(name)
        for name in ("description", "popularity", "creators", "genres")
    }
    nothing = pl.lit([], pl.List(pl.String()))
    said_by_somebody = ~pl.element().is_in([NO_CREATOR, UNKNOWN_GENRE])
    return items.with_columns(
        pl.when(~filled["description"], pl.col("description") != NO_DESCRIPTION).then(
            pl.col("description")
        ),
        pl.when(~filled["popularity"]).then(pl.col("popularity")),
        *(
            pl.when(filled[name])
            .then(nothing)
            .otherwise(pl.col(name).list.filter(said_by_somebody))
            .alias(name)
            for name in ("creators", "genres")
        ),
    )
