"""A list of famous books that were filmed, and a catalogue, in; which of them it holds, out."""

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from crossrec_pipeline.catalogue.links.comparison import person_key
from crossrec_pipeline.catalogue.links.titles import read_title

LIST = Path(__file__).parent / "labels" / "famous_pairs.csv"
YEARS_APART = 2
"""Catalogues have the date of one country or another."""


def famous_pairs(items: pl.DataFrame, most: int) -> Iterator[tuple[str, str]]:
    """Find the first `most` pairs of the list of which the catalogue has both film and book.

    They are found by what the list says (title, year, author), not by the linker. Of several
    editions, or films of one name and year, the first by id will do.

    Yields
    ------
    movie_id, book_id
    """
    films = items.filter(pl.col("item_type") == "Movie").sort("item_id").to_dicts()
    books = items.filter(pl.col("item_type") == "Book").sort("item_id").to_dicts()
    n_found = 0
    with LIST.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            year = int(row["year"])
            film_ids = [
                film["item_id"]
                for film in films
                if _same(film["title"], row["film"]) and _near(film["release_date"], year)
            ]
            book_ids = [
                book["item_id"]
                for book in books
                if _same(book["title"], row["book"])
                and person_key(row["author"]) in map(person_key, book["creators"])
            ]
            if film_ids and book_ids and n_found < most:
                n_found += 1
                yield film_ids[0], book_ids[0]


def _same(title: str, wanted: str) -> bool:
    return read_title(title).words == read_title(wanted).words


def _near(date: dt.date | None, year: int) -> bool:
    return date is not None and abs(date.year - year) <= YEARS_APART
