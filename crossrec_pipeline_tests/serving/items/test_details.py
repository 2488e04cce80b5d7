from datetime import date

import polars as pl
import pytest

from crossrec_pipeline.catalogue.schema import ITEM_LINKS, ITEMS
from crossrec_pipeline.serving.items.details import (
    CATALOGUE,
    DETAILS,
    catalogue_details,
    common_genres,
    item_details,
)
from crossrec_pipeline.serving.similar import SIMILAR
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

USUAL = {
    "item_id": "Movie_Up",
    "item_type": "Movie",
    "title": "Up",
    "description": "A house flies",
    "genres": ["Animation", "Comedy"],
    "creators": ["Ed Asner", "Jordan Nagai"],
    "popularity": 0.5,
    "raw_popularity": 79.0,
    "release_date": date(2009, 5, 29),
    "imputed": [],
    "source": "movies:movies.csv",
    "source_row": 1,
}


def items(*changes: dict) -> pl.DataFrame:
    return pl.DataFrame([{**USUAL, **change} for change in changes], schema=ITEMS)


def test_what_the_source_says_is_shown():
    shown = catalogue_details(items({}))
    assert shown.schema == pl.Schema(CATALOGUE)
    unlinked = {"same_story": [], "same_work": []}
    expected = {name: USUAL[name] for name in CATALOGUE if name not in unlinked}
    assert shown.row(0, named=True) == expected | unlinked


def test_links_are_told_from_both_ends_the_best_first():
    links = pl.DataFrame(
        [
            ("Book_Up", "Movie_Up", "story", 0.7, "same title"),
            ("Book_Up 2", "Movie_Up", "story", 0.9, "same title"),
            ("Book_Up", "Book_Up 2", "edition", 0.8, "same title"),
        ],
        schema=ITEM_LINKS,
        orient="row",
    )
    changes = [{"item_id": "Book_Up"}, {}, {"item_id": "Book_Up 2"}, {"item_id": "Movie_Down"}]
    shown = catalogue_details(items(*changes), links)
    assert shown.select("item_id", "same_story", "same_work").rows() == [
        ("Book_Up", ["Movie_Up"], ["Book_Up 2"]),
        ("Movie_Up", ["Book_Up 2", "Book_Up"], []),
        ("Book_Up 2", ["Movie_Up"], ["Book_Up"]),
        ("Movie_Down", [], []),
    ]


@pytest.mark.parametrize(
    ("column", "mark", "nothing"),
    [
        ("description", "No Description Available", None),
        ("genres", ["Unknown"], []),
        ("creators", ["Not Available"], []),
        ("popularity", 0.0, None),
    ],
)
def test_what_was_filled_in_is_not_shown(column: str, mark: object, nothing: object):
    filled = catalogue_details(items({column: mark, "imputed": [column]}))
    assert filled[column].to_list() == [nothing]


def test_a_domains_own_fill_is_not_shown_either():
    filled = items(
        {"description": "n/a", "genres": ["Other"], "imputed": ["description", "genres"]}
    )
    shown = catalogue_details(filled).row(0, named=True)
    assert (shown["description"], shown["genres"]) == (None, [])


@pytest.mark.parametrize(
    ("column", "said", "shown"),
    [
        ("description", "No Description Available", None),
        ("genres", ["Drama", "Unknown"], ["Drama"]),
        ("creators", ["Not Available", "Unknown"], []),
    ],
)
def test_a_source_that_says_the_mark_itself_says_nothing(column: str, said: object, shown: object):
    assert catalogue_details(items({column: said}))[column].to_list() == [shown]


def test_known_items_come_first_by_index_then_the_others_by_popularity():
    catalogue = catalogue_details(
        items(
            {"item_id": "Movie_A", "popularity": 0.1},
            {"item_id": "Movie_B", "popularity": 0.9},
            {"item_id": "Movie_C", "popularity": 0.2},
            {"item_id": "Movie_D", "popularity": 0.8},
        )
    )
    details = item_details(catalogue, vocabulary_of("Movie_C", "Movie_A"))
    assert details.schema == pl.Schema(DETAILS)
    assert details["item_id"].to_list() == ["Movie_C", "Movie_A", "Movie_B", "Movie_D"]
    assert details["item_index"].to_list() == [0, 1, None, None]
    assert details["train_events"].to_list() == [1, 1, 0, 0]


def test_an_item_outside_the_catalogue_has_type_and_title_only():
    details = item_details(catalogue_details(items()), vocabulary_of("Music_Halo"))
    assert details.row(0, named=True) == {
        "item_id": "Music_Halo",
        "item_type": "Music",
        "title": "Halo",
        "creators": [],
        "genres": [],
        "description": None,
        "release_date": None,
        "popularity": None,
        "same_story": [],
        "same_work": [],
        "item_index": 0,
        "train_events": 1,
        "similar": [],
    }


def test_similar_items_are_told_by_their_rows():
    catalogue = catalogue_details(
        items(*({"item_id": f"Movie_{letter}", "popularity": 0.5} for letter in "ABC"))
    )
    similar = pl.DataFrame(
        [
            ("Movie_A", ["Movie_C", "Movie_Gone", "Movie_B"]),
            ("Movie_B", []),
            ("Movie_Z", ["Movie_A"]),
        ],
        schema=SIMILAR,
        orient="row",
    )
    details = item_details(catalogue, vocabulary_of("Movie_C"), similar)
    assert details["item_id"].to_list() == ["Movie_C", "Movie_A", "Movie_B"]
    assert details["similar"].to_list() == [[], [0, 2], []]


def test_no_items_give_no_details():
    nothing = Vocabulary.from_items(vocabulary_of("Movie_A").frame.head(0))
    assert item_details(catalogue_details(items()), nothing).is_empty()


def test_genres_of_more_than_a_third_of_a_type_tell_nothing():
    genres = [["Drama", "War"], ["drama", "Comedy"], ["Comedy"], ["Drama"], ["Western"], [], []]
    books = [{"item_id": "Book_A", "item_type": "Book", "genres": ["War"]}]
    movies = [{"item_id": f"Movie_{n}", "genres": found} for n, found in enumerate(genres)]
    details = item_details(catalogue_details(items(*movies, *books)), vocabulary_of("Movie_0"))
    # Drama 3 of 7 movies (more than 7/3), Comedy 2; War is on 1 of 1 books, which is nobody else's.
    assert common_genres(details) == {"Movie": ["drama"], "Book": []}
