"""Items of a small catalogue, and settings to have them described."""

from datetime import date
from typing import Any

import polars as pl

from crossrec_pipeline.catalogue.schema import ITEMS
from crossrec_pipeline.settings import EnrichmentSettings

MODEL = "small-model"


def item(title: str, popularity: float = 0.5, **changes: Any) -> dict[str, Any]:
    """Return a row of `catalogue.items`."""
    return {
        "item_id": f"Book_{title}",
        "item_type": "Book",
        "title": title,
        "description": f"What happens in {title}.",
        "genres": ["Fiction"],
        "creators": ["Ana Ruiz"],
        "popularity": popularity,
        "raw_popularity": 4.0,
        "release_date": date(1999, 5, 1),
        "imputed": [],
        "source": "books:books.csv",
        "source_row": 1,
        **changes,
    }


def catalogue(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=ITEMS, orient="row")


def books(n: int) -> pl.DataFrame:
    """Return books named A, B, C, …, the first one being the most popular."""
    return catalogue(*(item(chr(ord("A") + i), 1 - i / 100) for i in range(n)))


def settings(url: str, **changes: Any) -> EnrichmentSettings:
    """Ask one item at a time, without limits that a test does not set."""
    return EnrichmentSettings(
        **{
            "base_url": url,
            "model": MODEL,
            "concurrency": 1,
            "requests_per_minute": 1e12,  # no pause but those for a reason
            "max_minutes": None,
            "timeout_seconds": 5,
            **changes,
        }
    )
