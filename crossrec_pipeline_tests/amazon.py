"""Amazon's movies and books as two domains of a user's own, and their log.

The folder of real data holds one list of items for both types, three quarters of them without a
title. `deliver` splits it into one file a domain and puts the item's number where a title is
missing: an item without any title would be rejected, and its events with it. The column
``n_events`` is left out; it counts the events of the test period too.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from crossrec_pipeline import parsers
from crossrec_pipeline.domains import DomainSpec, Reject, SourceColumn

ITEMS_FILE = "interactions/amazon_movie_book_items.parquet"
EVENTS_FILE = "interactions/amazon_movie_book_events.parquet"

LONGEST_RECORD_MINUTES = 31 * 24 * 60
"""The log holds at most 30 days of each user, and times are days: a user's record is one session.
With the usual gap of 30 minutes a session would be one day's reviews, whose order says nothing."""


def _domain(name: str, item_type: str) -> DomainSpec:
    return DomainSpec(
        name=name,
        item_type=item_type,
        natural_key=("asin",),
        id_column="asin",
        columns=(
            SourceColumn("asin", parsers.text, required=True, missing=Reject("missing_asin")),
            SourceColumn(
                "title",
                parsers.text,
                required=True,
                becomes="title",
                missing=Reject("missing_title"),
            ),
        ),
    )


MOVIES = _domain("amazon_movies", "Movie")
BOOKS = _domain("amazon_books", "Book")


@dataclass(frozen=True)
class Delivery:
    """What was delivered, counted where it was made.

    Attributes
    ----------
    settings
        Settings that name it: domains, sources, log and columns of the log.
    n_items
        Items by type.
    n_without_title
        Items by type that have their number for a title.
    n_events
        Events in the log.
    """

    settings: dict[str, Any]
    n_items: dict[str, int]
    n_without_title: dict[str, int]
    n_events: int


def deliver(real_data: Path, folder: Path) -> Delivery:
    """Write one file of items a domain into `folder`; the log stays where it is."""
    items = pl.read_parquet(real_data / ITEMS_FILE)
    log = real_data / EVENTS_FILE
    sources, n_items, n_without_title = {}, {}, {}
    for spec in (MOVIES, BOOKS):
        own = items.filter(pl.col("domain") == spec.item_type.lower())
        sources[spec.name] = str(folder / f"{spec.name}.parquet")
        n_items[spec.item_type] = own.height
        n_without_title[spec.item_type] = own["title"].null_count()
        own.select("asin", pl.coalesce("title", "asin").alias("title")).write_parquet(
            sources[spec.name]
        )
    settings = {
        "domains": (f"{__name__}:MOVIES", f"{__name__}:BOOKS"),
        "sources": sources,
        "events": str(log),
        "event_columns": {"item_id": "asin", "item_type": "domain"},
    }
    n_events = pl.scan_parquet(log).select(pl.len()).collect().item()
    return Delivery(settings, n_items, n_without_title, n_events)
