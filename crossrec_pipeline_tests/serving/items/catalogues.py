"""A small catalogue, what a model knows of it, and both written out."""

from datetime import date
from pathlib import Path

import polars as pl

from crossrec_pipeline.serving.items.catalogue import ItemCatalogue, write_items
from crossrec_pipeline.serving.items.details import CATALOGUE, item_details
from crossrec_pipeline.serving.similar import SIMILAR
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_Row = tuple[str, str, list[str], list[str], float]

ROWS: list[_Row] = [
    ("Movie", "Creed III", ["Michael B. Jordan", "Tessa Thompson", "A", "B"], ["Drama"], 0.9),
    ("Movie", "Creed", ["ryan coogler"], ["Drama"], 0.8),
    ("Movie", "Black Panther", ["Ryan Coogler"], ["Action", "Drama"], 0.7),
    ("Movie", "Amélie", ["Jean-Pierre Jeunet"], ["Drama", "Romance"], 0.6),
    ("Movie", "Dune", ["Denis Villeneuve"], ["Science Fiction"], 0.5),
    ("Movie", "Arrival", ["Denis Villeneuve"], ["Science Fiction", "Drama"], 0.4),
    ("Book", "Dune", ["Frank Herbert"], ["Science Fiction", "Fiction"], 0.3),
    ("Book", "Emma", ["Jane Austen"], ["Fiction"], 0.2),
    ("Book", "Arrival", ["A Novelist"], ["Fiction"], 0.1),
]


def details_of(
    rows: list[_Row],
    n_known: int,
    same_story: dict[int, list[int]] | None = None,
    same_work: dict[int, list[int]] | None = None,
    similar: dict[str, list[str]] | None = None,
) -> pl.DataFrame:
    """Make details of rows (type, title, creators, genres, popularity); the first are known.

    The id of an item is its type, title and row; item `i` of the known has 100 - i train events.
    Links are from rows to rows.
    `similar` has the ids of those that are near some items.
    """
    ids = [f"{item_type}_{title}_{row}" for row, (item_type, title, *_) in enumerate(rows)]
    catalogue = pl.DataFrame(
        [
            {
                "item_id": ids[row],
                "item_type": item_type,
                "title": title,
                "creators": creators,
                "genres": genres,
                "description": f"About {title}",
                "release_date": date(2023, 3, 1),
                "popularity": popularity,
                "same_story": [ids[other] for other in (same_story or {}).get(row, [])],
                "same_work": [ids[other] for other in (same_work or {}).get(row, [])],
            }
            for row, (item_type, title, creators, genres, popularity) in enumerate(rows)
        ],
        schema=CATALOGUE,
    )
    known = catalogue.head(n_known).with_columns(support=100 - pl.int_range(pl.len()))
    near = pl.DataFrame(list((similar or {}).items()), schema=SIMILAR, orient="row")
    return item_details(catalogue, Vocabulary.from_items(known), near)


def opened(details: pl.DataFrame, folder: Path) -> ItemCatalogue:
    """Write details into a new folder and open it."""
    folder.mkdir(parents=True)
    write_items(details, folder)
    return ItemCatalogue.open(folder)
