"""Items of the catalogue for the tests of their content."""

import polars as pl

from crossrec_pipeline.catalogue.schema import ITEMS

USUAL = {
    "item_id": "Movie_Up",
    "item_type": "Movie",
    "title": "Up",
    "description": "A house flies",
    "genres": ["Animation", "Comedy"],
    "creators": ["Ed Asner"],
    "popularity": 0.5,
    "imputed": [],
}


def items_of(*changes: dict) -> pl.DataFrame:
    """Make items that are as usual but for some values."""
    return pl.DataFrame([{**USUAL, **change} for change in changes], schema=ITEMS)
