"""The checks against what cleaning and unification make of real delivered rows."""

from dataclasses import replace

import polars as pl
import pytest

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.domains import BOOKS, MOVIES, MUSIC
from crossrec_pipeline.quality.suites import STAGED_SUITES
from crossrec_pipeline.settings import QualitySettings
from crossrec_pipeline_tests.quality.small_catalogue import (
    Staged,
    movie_row,
    music_row,
    raw_frame,
)

BOUNDS = QualitySettings(max_rejected_share=0.5)


def book_row(name: str | None, **cells: str | None) -> dict[str, str | None]:
    filled: dict[str, str | None] = {
        "Book": name,
        "Author": "Jane Austen",
        "Description": "A plot.",
        "Genres": "['Classics', \"Children's\"]",
        "Avg_Rating": "4.1",
        "Num_Ratings": "5,691,311",
    }
    return filled | cells


@pytest.fixture(scope="module")
def staged() -> Staged:
    """Every policy at work: fills, rejections, duplicates, merged rows, a source's own Unknown."""
    raw = {
        "movies": raw_frame(
            MOVIES,
            [
                movie_row("Heat", overview=None, genre="Unknown"),
                movie_row(" Heat ", overview="A plot.", crew=None),
                movie_row("Heat", date_x="not a date", score="bad"),
                movie_row(None),
                movie_row("Alien", genre=" ", crew="", overview=None, score=None, date_x=None),
                movie_row("Alien", genre=" ", crew="", overview=None, score=None, date_x="?"),
            ],
        ),
        "music": raw_frame(
            MUSIC,
            [
                music_row("t1", "acoustic"),
                music_row("t1", "rock"),
                music_row("t2", None) | {"album_name": None, "popularity": "9"},
                music_row("t2", None) | {"popularity": "0"},
                music_row("t3", None),
                music_row("t3", None),
            ],
        ),
        "books": raw_frame(
            BOOKS,
            [
                book_row("Emma", Genres="[]"),
                book_row("Emma", Genres="['Classics']", Description=None),
                book_row("Persuasion", Author="", Genres="[broken", Description=" "),
                book_row(""),
            ],
        ),
    }
    specs = (MOVIES, MUSIC, BOOKS)
    unified = unify([clean(raw[spec.name], spec) for spec in specs], empty_ledger())
    return Staged(unified.items, unified.rejected, raw, specs, bounds=BOUNDS)


@pytest.mark.parametrize("suite", STAGED_SUITES)
def test_what_cleaning_makes_passes(staged: Staged, suite: str):
    result = staged.check(suite)

    assert result.success, result.markdown()


def test_every_policy_was_at_work(staged: Staged):
    assert set(staged.rejected["reason"]) == {
        "missing_title",
        "missing_album",
        "duplicate",
        "merged_into",
    }
    assert set(staged.items["imputed"].explode().drop_nulls()) == {
        "description",
        "genres",
        "creators",
        "popularity",
    }


def test_unmarked_fill_of_the_real_cleaning_would_be_noticed(staged: Staged):
    unmarked = staged.items.with_columns(imputed=pl.lit([], pl.List(pl.String)))
    result = replace(staged, items=unmarked).check("placeholders")

    assert not result.success


def test_row_lost_by_the_real_cleaning_would_be_noticed(staged: Staged):
    result = replace(staged, rejected=staged.rejected.slice(1)).check("conservation")

    assert not result.success
