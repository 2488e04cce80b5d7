from dataclasses import replace
from itertools import pairwise

import polars as pl

from crossrec_pipeline.models.additions import ITEM_COLUMNS
from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

VOCABULARY = vocabulary_of("Movie_A", "Book_B", "Music_C", "Movie_D")
CATALOGUE = pl.DataFrame(
    {
        "item_id": ["Music_C", "Movie_A", "Book_B"],
        "creators": [["Not Available"], ["Ann", "Bo"], ["bo "]],
        "genres": [["Rock"], ["Drama", "Crime"], ["Unknown"]],
        "imputed": [["creators"], [], ["genres", "description"]],
    }
)


def _rows(offsets, values) -> list[list[int]]:
    return [values[a:b].tolist() for a, b in pairwise(offsets)]


def _further(**columns: list) -> pl.DataFrame:
    nothing: list[list] = [[]] * len(next(iter(columns.values())))
    everything = {"creators": nothing, "genres": nothing, "linked": nothing, **columns}
    types = {name: ITEM_COLUMNS[name] for name in everything}
    return pl.DataFrame(everything, schema=types)


def test_words_become_numbers_by_the_vocabularys_order():
    found = ItemAttributes.from_catalogue(CATALOGUE, VOCABULARY)
    # ann 0, bo 1; crime 0, drama 1, rock 2. What was filled in, or is not in the catalogue, is
    # nothing that items could share.
    assert _rows(found.creator_offsets, found.creators) == [[0, 1], [1], [], []]
    assert _rows(found.genre_offsets, found.genres) == [[0, 1], [], [2], []]


def test_links_are_those_of_items_of_the_vocabulary():
    links = pl.DataFrame(
        {
            "item_id": ["Book_B", "Book_B", "Book_Unknown"],
            "other_id": ["Movie_D", "Movie_A", "Movie_A"],
        }
    )
    found = ItemAttributes.from_catalogue(CATALOGUE, VOCABULARY, links)
    assert found.links.rows_from(0).to_list() == [[1], [0, 3], [], [1]]
    without = ItemAttributes.from_catalogue(CATALOGUE, VOCABULARY)
    assert without.links.rows_from(0).to_list() == [[]] * 4


def test_nothing_is_known_of_any_item():
    found = ItemAttributes.unknown(2)
    assert _rows(found.creator_offsets, found.creators) == [[], []]
    assert _rows(found.genre_offsets, found.genres) == [[], []]
    assert found.links.rows_from(0).to_list() == [[], []]


def test_further_items_are_numbered_by_the_same_words():
    items = _further(creators=[["Zoe", "ANN "], [], ["zoe"]], genres=[["rock"], [], []])

    found = ItemAttributes.from_catalogue(CATALOGUE, VOCABULARY).grown(items)

    # Nobody was Zoe so far: number 2.
    assert _rows(found.creator_offsets, found.creators)[4:] == [[0, 2], [], [2]]
    assert _rows(found.creator_offsets, found.creators)[:4] == [[0, 1], [1], [], []]
    assert _rows(found.genre_offsets, found.genres)[4:] == [[2], [], []]
    assert found.creator_words == ("ann", "bo", "zoe")
    assert found.creators.dtype == "int32"


def test_further_items_bring_their_links():
    links = pl.DataFrame({"item_id": ["Book_B"], "other_id": ["Movie_A"]})
    known = ItemAttributes.from_catalogue(CATALOGUE, VOCABULARY, links)

    found = known.grown(_further(linked=[[1, 5], []]))

    # The second is linked with the first, which says so alone.
    assert found.links.rows_from(0).to_list() == [[1], [0, 4], [], [], [1, 5], [4]]


def test_without_words_further_items_have_none():
    known = ItemAttributes.from_catalogue(CATALOGUE, VOCABULARY)
    numbers_only = replace(known, creator_words=None)

    found = numbers_only.grown(_further(creators=[["Ann"]], genres=[["Rock"]]))

    assert _rows(found.creator_offsets, found.creators) == [[0, 1], [1], [], [], []]
    assert _rows(found.genre_offsets, found.genres)[4:] == [[2]]
