import itertools
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.serving.items.search import SearchIndex
from crossrec_pipeline.serving.items.search_index import write_index
from crossrec_pipeline_tests.serving.items.catalogues import ROWS, details_of


def index_of(details: pl.DataFrame, folder: Path) -> SearchIndex:
    folder.mkdir()
    write_index(details, folder)
    return SearchIndex(folder)


def index_of_titles(*titles: str, folder: Path) -> SearchIndex:
    """Index titles in order of their popularity."""
    rows = [("Movie", title, [], [], 1 - n / 100) for n, title in enumerate(titles)]
    return index_of(details_of(rows, n_known=0), folder / "titles")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    return index_of(details_of(ROWS, n_known=6), tmp_path_factory.mktemp("search") / "index")


def titles(index: SearchIndex, query: str, limit: int = 10, item_type: str | None = None):
    return [(ROWS[row][0], ROWS[row][1]) for row in index.rows(query, limit, item_type)]


def test_every_word_must_be_found(index: SearchIndex):
    assert titles(index, "black panther") == [("Movie", "Black Panther")]
    assert titles(index, "black emma") == []


def test_words_may_be_of_title_creators_and_genres_in_any_order(index: SearchIndex):
    assert titles(index, "fiction villeneuve arrival") == [("Movie", "Arrival")]


def test_case_and_accents_do_not_count(index: SearchIndex):
    assert titles(index, "AMELIE")[0] == ("Movie", "Amélie")
    assert titles(index, "amélie")[0] == ("Movie", "Amélie")


def test_the_last_word_may_be_a_beginning(index: SearchIndex):
    assert titles(index, "black pan") == [("Movie", "Black Panther")]
    assert titles(index, "bla panther") == []


def test_titles_come_before_creators_before_genres(tmp_path: Path):
    rows = [
        ("Book", "Other", ["Nobody"], ["Horror"], 0.9),
        ("Book", "Another", ["Horror Writer"], [], 0.8),
        ("Book", "Horror", ["Somebody"], [], 0.1),
    ]
    assert index_of(details_of(rows, 0), tmp_path / "i").rows("horror", 10) == [2, 1, 0]


def test_exact_words_come_before_beginnings_before_typos(tmp_path: Path):
    found = index_of_titles("Drones", "Stoned", "Dune Stones", "Stone", "Stones", folder=tmp_path)
    # "Stone" is the whole title; "Stoned" and "Stones" begin with it, "Dune Stones" has a word that
    # does; "Drones" is two letters away, but five letters may have one typo.
    assert found.rows("stone", 10) == [3, 1, 4, 2]
    # One swap makes "stones"; "stoned" and "stone" begin as "stonse" does but for a letter.
    assert set(found.rows("stonse", 10)) == {1, 2, 3, 4}


def test_the_whole_title_comes_first_then_titles_that_begin_so(tmp_path: Path):
    found = index_of_titles("Pop Up", "Up in the Air", "Up", folder=tmp_path)
    assert found.rows("up", 10) == [2, 1, 0]


def test_known_items_come_before_unknown_ones_then_the_more_popular(tmp_path: Path):
    rows = [("Movie", "Same", [], [], popularity) for popularity in (0.1, 0.2, 0.9, 0.8)]
    # Known are rows 0 and 1, in the order of their train events, whatever their popularity.
    assert index_of(details_of(rows, n_known=2), tmp_path / "i").rows("same", 10) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [
        ("dune", True),
        ("dnue", True),  # a swap counts once
        ("dun", True),  # a beginning
        ("dux", False),  # three letters: no typo
        ("duxe", True),
        ("dxxe", False),  # four letters: one typo
        ("villeneuve", True),
        ("vilenewve", True),  # two typos from eight letters on
        ("vxlxnxuve", False),
    ],
)
def test_longer_words_may_have_more_typos(index: SearchIndex, typed: str, is_found: bool):
    assert (("Movie", "Dune") in titles(index, typed)) == is_found


def test_a_beginning_of_four_letters_may_have_a_typo(index: SearchIndex):
    assert ("Movie", "Black Panther") in titles(index, "black pnath")
    assert ("Movie", "Black Panther") not in titles(index, "black pxn")


def test_of_titles_with_typos_the_likest_comes_first(tmp_path: Path):
    found = index_of_titles(
        "The Godfather of Harlem", "Godfathers", "The Godfather", folder=tmp_path
    )
    assert found.rows("the godfahter", 10) == [2, 0]


def test_only_items_of_a_type(index: SearchIndex):
    assert titles(index, "dune") == [("Movie", "Dune"), ("Book", "Dune")]
    assert titles(index, "dune", item_type="Book") == [("Book", "Dune")]
    assert titles(index, "dune", item_type="Podcast") == []


def test_no_more_than_the_limit(index: SearchIndex):
    assert len(titles(index, "a", limit=2)) == 2
    assert titles(index, "dune", limit=0) == []


def test_titles_without_latin_letters(tmp_path: Path):
    found = index_of_titles("千と千尋の神隠し", "Война и мир", "기생충", "हिन्दी", folder=tmp_path)
    assert found.rows("神隠", 10) == [0]
    assert found.rows("воина и", 10) == [1]
    assert found.rows("война м", 10) == [1]
    assert found.rows("기생", 10) == [2]
    assert found.rows("हिन्दी", 10) == [3]


def test_two_names_of_a_compound(tmp_path: Path):
    found = index_of_titles("Spider-Man", "Fast & Furious", folder=tmp_path)
    assert found.rows("spiderman", 10) == found.rows("spider man", 10) == [0]
    assert found.rows("fast and furious", 10) == found.rows("fast & fur", 10) == [1]


@pytest.mark.parametrize("query", ["", "   ", "...", "😂", "&", "'\"--", "\x00"])
def test_without_words_nothing_is_found(index: SearchIndex, query: str):
    assert titles(index, query) == []


@pytest.mark.parametrize(
    "query",
    ["title:dune", "du*", "+dune -arrival", '"dune"~3', "[a TO z]", "dune^9", "dune OR emma"],
)
def test_nothing_but_words_has_a_meaning(index: SearchIndex, query: str):
    as_words = "".join(letter if letter.isalnum() else " " for letter in query)
    assert titles(index, query) == titles(index, as_words)


@given(query=st.text(max_size=200), limit=st.integers(1, 20))
def test_no_text_is_refused(index: SearchIndex, query: str, limit: int):
    rows = index.rows(query, limit)
    assert len(rows) == len(set(rows)) <= limit
    assert all(0 <= row < len(ROWS) for row in rows)


@given(data=st.data())
def test_a_title_typed_in_full_is_found_first(index: SearchIndex, data: st.DataObject):
    row = data.draw(st.integers(0, len(ROWS) - 1))
    found = titles(index, ROWS[row][1])
    assert found[0][1] == ROWS[row][1]


def test_an_empty_catalogue_has_nothing(tmp_path: Path):
    assert index_of(details_of([], 0), tmp_path / "i").rows("dune", 10) == []


def test_one_segment_keeps_the_order_of_many_items(tmp_path: Path):
    rows = [("Movie", "Same", [], [], 1 - n / 5_000) for n in range(5_000)]
    found = index_of(details_of(rows, 0), tmp_path / "i").rows("same", 3_000)
    assert found == list(itertools.islice(range(5_000), 3_000))


def test_a_folder_that_takes_no_lock_is_searched_all_the_same(tmp_path: Path):
    folder = tmp_path / "index"
    folder.mkdir()
    write_index(details_of(ROWS, 0), folder)
    (folder / ".tantivy-meta.lock").mkdir()
    assert SearchIndex(folder).rows("emma", 1) == [7]


@pytest.mark.parametrize("damaged", ["meta.json", "*.term"])
def test_a_damaged_index_is_refused(tmp_path: Path, damaged: str):
    folder = tmp_path / "index"
    folder.mkdir()
    write_index(details_of(ROWS, 0), folder)
    for path in folder.glob(damaged):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"."):
        SearchIndex(folder)
