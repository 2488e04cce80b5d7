import os
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.catalogue.clean import Cleaned, clean
from crossrec_pipeline.catalogue.load import RawCatalogue, SourceReader
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.domains import BOOKS, MOVIES, MUSIC, DomainSpec

REAL_DATA = os.environ.get("CROSSREC_REAL_DATA")

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(REAL_DATA is None, reason="CROSSREC_REAL_DATA is not set"),
]

FILES = {
    "movies": (MOVIES, "imdb_movies.csv"),
    "music": (MUSIC, "spotify_tracks.csv"),
    "books": (BOOKS, "goodreads_data.csv"),
}


@cache
def loaded(domain: str) -> RawCatalogue:
    spec, file = FILES[domain]
    folder = Path(REAL_DATA or "") / "catalogues"
    return SourceReader(sample_dir=folder).load(spec, str(folder / file))


@cache
def cleaned(domain: str) -> Cleaned:
    spec: DomainSpec = FILES[domain][0]
    return clean(loaded(domain).frame, spec)


@pytest.mark.parametrize(
    ("domain", "n_rows", "n_works", "reasons", "filled", "missing"),
    [
        ("movies", 10_178, 9_999, {"merged_into": 179}, {"creators": 9_999, "genres": 85}, "crew"),
        ("music", 2_506, 2_506, {}, {"description": 2_506}, "Unnamed: 0"),
        ("books", 3_268, 3_247, {"merged_into": 21}, {"genres": 55, "description": 11}, None),
    ],
)
def test_counts(
    domain: str,
    n_rows: int,
    n_works: int,
    reasons: dict[str, int],
    filled: dict[str, int],
    missing: str | None,
):
    result = cleaned(domain)
    assert loaded(domain).n_rows == n_rows
    assert loaded(domain).missing_columns == ((missing,) if missing else ())
    assert result.works.height == n_works
    assert result.works.height + result.rejected.height == n_rows
    assert dict(result.rejected["reason"].value_counts().iter_rows()) == reasons
    assert result.filled == filled
    assert result.unparseable == {}


def test_every_movie_has_its_date_and_score():
    works = cleaned("movies").works
    assert works["release_date"].null_count() == 0
    assert works["raw_popularity"].null_count() == 0


def test_empty_lists_of_book_genres_and_missing_descriptions_as_delivered():
    frame = loaded("books").frame
    assert (frame["Genres"] == "[]").sum() == 56
    assert frame["Description"].null_count() == 12


def test_ids_are_unique_and_do_not_depend_on_row_order():
    domains = [cleaned(domain) for domain in FILES]
    catalogue = unify(domains, empty_ledger())
    assert catalogue.items.height == 9_999 + 2_506 + 3_247
    assert catalogue.items["item_id"].is_unique().all()
    shuffled = [
        clean(loaded(domain).frame.sample(fraction=1, shuffle=True, seed=1), spec)
        for domain, (spec, _) in FILES.items()
    ]
    assert unify(shuffled, empty_ledger()).item_ids.equals(catalogue.item_ids)
    again = unify(domains, catalogue.item_ids)
    assert again.items.equals(catalogue.items)


def test_popularity_is_spread_evenly_within_each_type():
    items = unify([cleaned(domain) for domain in FILES], empty_ledger()).items
    for (_, n), group in items.group_by("item_type", pl.len().over("item_type")):
        popularity = group["popularity"]
        assert popularity.is_between(0, 1).all()
        assert popularity.mean() == pytest.approx((n + 1) / (2 * n))
