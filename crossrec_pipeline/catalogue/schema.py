"""The columns of the unified catalogue: defined once, used by DuckDB, Parquet and polars alike."""

import polars as pl

from crossrec_pipeline.domains import NO_CREATOR, NO_DESCRIPTION, UNKNOWN_GENRE

ITEMS: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "item_type": pl.String(),
    "title": pl.String(),
    "description": pl.String(),
    "genres": pl.List(pl.String()),
    "creators": pl.List(pl.String()),
    "popularity": pl.Float64(),
    "raw_popularity": pl.Float64(),
    "release_date": pl.Date(),
    "imputed": pl.List(pl.String()),
    "source": pl.String(),
    "source_row": pl.Int64(),
}
"""`catalogue.items`: one row an item. `item_type` is an ENUM in DuckDB."""

ITEM_DESCRIPTIONS: dict[str, str] = {
    "item_id": "Prefix of the domain and the work's name or key; once given, it stays",
    "item_type": "Movie, Music, Book, or the type of an added domain",
    "title": "Title without outer blanks",
    "description": f"Description; '{NO_DESCRIPTION}' where the source has none",
    "genres": f"Genres; ['{UNKNOWN_GENRE}'] where the source has none",
    "creators": f"Crew, artists or authors; ['{NO_CREATOR}'] where the source has none",
    "popularity": "Percentile rank of raw_popularity within the type, 0 to 1",
    "raw_popularity": "Score, popularity or average rating on the source's own scale",
    "release_date": "Release date; null where missing or unparseable",
    "imputed": "Names of the columns of this row that were filled in",
    "source": "The domain and file the row came from",
    "source_row": "Row in the source, the first data row being 1",
}

REJECTED_ITEMS: dict[str, pl.DataType] = {
    "source": pl.String(),
    "source_row": pl.Int64(),
    "item_type": pl.String(),
    "reason": pl.String(),
    "detail": pl.String(),
    "title": pl.String(),
}
"""`catalogue.rejected_items`: one row for every source row that is not an item of its own."""

ITEM_IDS: dict[str, pl.DataType] = {
    "item_type": pl.String(),
    "natural_key": pl.String(),
    "item_id": pl.String(),
}
"""`catalogue.item_ids`: the ledger of ids given so far."""

STORY = "story"
EDITION = "edition"

ITEM_LINKS: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "other_id": pl.String(),
    "kind": pl.String(),
    "score": pl.Float64(),
    "reason": pl.String(),
}
"""`catalogue.item_links`: one row a pair of items that belong together and stay two items."""

ITEM_LINK_DESCRIPTIONS: dict[str, str] = {
    "item_id": "One item; of a story the earlier work",
    "other_id": "The other item",
    "kind": f"'{STORY}': works of two types tell one story; '{EDITION}': of one work, of one type",
    "score": "How sure the link is, 0 to 1",
    "reason": "What the two agree and differ in, in words",
}
