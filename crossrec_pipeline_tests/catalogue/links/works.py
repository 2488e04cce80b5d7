"""Items for tests of links, given by what matters, and a background that words are common in."""

import datetime as dt
from random import Random
from typing import Any

import polars as pl

from crossrec_pipeline.catalogue.links.linking import link_items
from crossrec_pipeline.catalogue.schema import ITEMS

ORDER = {"Book": 0, "Movie": 1}

_COMMON = "home love life story family world friend secret night war city".split()  # noqa: SIM905
_EVERYWHERE = "the a of in and is as by to from have for"
_PLAIN = [f"{a}{b}" for a in ("bar", "cor", "dun", "fel", "gar") for b in ("ton", "wick", "ley")]


def item(item_type: str, title: str, description: str | None = None, **values: Any) -> dict:
    year = values.pop("year", None)
    filled = {
        "item_id": f"{item_type}_{title}" + (f" ({year})" if year else ""),
        "item_type": item_type,
        "title": title,
        "description": description or "No Description Available",
        "genres": ["Drama"],
        "creators": ["Not Available"],
        "popularity": 0.5,
        "raw_popularity": 1.0,
        "release_date": None if year is None else dt.date(year, 7, 1),
        "imputed": [] if description else ["description"],
        "source": "test",
        "source_row": 1,
    }
    return filled | values


def book(title: str, author: str, description: str | None = None, **values: Any) -> dict:
    return item("Book", title, description, creators=[author], **values)


def movie(title: str, description: str | None = None, **values: Any) -> dict:
    return item("Movie", title, description, **values)


def track(track_id: str, title: str, artist: str) -> dict:
    return item("Music", title, creators=[artist]) | {"item_id": f"Music_{track_id}"}


def background(n: int = 300) -> list[dict]:
    """Make films and books of other stories; a third of them speak of home, love and the like."""
    random = Random(0)
    made = []
    for number in range(n):
        words = random.sample(_COMMON, 4) + random.sample(_PLAIN, 4)
        item_type = "Movie" if number % 2 else "Book"
        made.append(
            item(item_type, f"Filler{number} {item_type}", f"{' '.join(words)} {_EVERYWHERE}.")
        )
    return made


def catalogue(*works: dict, n_others: int = 300) -> pl.DataFrame:
    return pl.DataFrame([*background(n_others), *works], schema=ITEMS)


def linked(*works: dict, **options: Any) -> list[tuple[str, str, str]]:
    """Link works among a background; the two ids and the kind of each link."""
    found = link_items(catalogue(*works), ORDER, **options)
    return found.select("item_id", "other_id", "kind").rows()
