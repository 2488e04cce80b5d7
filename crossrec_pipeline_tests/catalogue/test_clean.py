import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline import parsers
from crossrec_pipeline.catalogue.clean import WORKS, Cleaned, clean
from crossrec_pipeline.catalogue.merge import MERGE_REASONS
from crossrec_pipeline.catalogue.schema import REJECTED_ITEMS
from crossrec_pipeline.domains import (
    BOOKS,
    MOVIES,
    MUSIC,
    NO_CREATOR,
    NO_DESCRIPTION,
    UNKNOWN_GENRE,
    DomainSpec,
    Fill,
    Reject,
    SourceColumn,
)
from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline_tests.catalogue.raw import Row, book, movie, raw_rows, track


def cleaned(spec: DomainSpec, *rows: Row) -> Cleaned:
    return clean(raw_rows(spec, rows), spec)


def only_work(result: Cleaned) -> dict:
    assert result.works.height == 1
    return result.works.row(0, named=True)


def reasons(result: Cleaned) -> list[tuple[int, str, str]]:
    return result.rejected.select("source_row", "reason", "detail").rows()


def test_a_whole_movie_becomes_a_work():
    work = only_work(
        cleaned(
            MOVIES,
            movie(
                " Creed  III ",
                "03/02/2023 ",
                score="73.0",
                genre="Drama, Action",
                overview="Boxing.",
                crew="Michael B. Jordan, Adonis Creed, Tessa Thompson, Bianca Taylor",
            ),
        )
    )
    assert work == {
        "natural_key": "Creed III\t2023-03-02",
        "name": "Creed III",
        "title": "Creed III",
        "description": "Boxing.",
        "genres": ["Drama", "Action"],
        "creators": ["Michael B. Jordan", "Tessa Thompson"],
        "raw_popularity": 73.0,
        "release_date": dt.date(2023, 3, 2),
        "imputed": [],
        "source": "movies:test.csv",
        "source_row": 1,
    }


def test_schemas_are_the_declared_ones_even_of_no_rows():
    for rows in ([], [movie("A")], [movie(None)]):
        result = cleaned(MOVIES, *rows)
        assert result.works.schema == pl.Schema(WORKS)
        assert result.rejected.schema == pl.Schema(REJECTED_ITEMS)


def test_what_is_missing_is_filled_and_named_in_the_order_of_the_items_columns():
    work = only_work(cleaned(MOVIES, movie("A", genre=" ", overview=None, crew="", score=None)))
    assert work["description"] == NO_DESCRIPTION
    assert work["genres"] == [UNKNOWN_GENRE]
    assert work["creators"] == [NO_CREATOR]
    assert work["imputed"] == ["description", "genres", "creators", "popularity"]


def test_a_missing_popularity_stays_empty_on_the_sources_own_scale():
    work = only_work(cleaned(MOVIES, movie("A", score="n/a")))
    assert work["raw_popularity"] is None
    assert work["imputed"] == ["popularity"]


def test_a_popularity_of_zero_is_no_missing_one():
    work = only_work(cleaned(MOVIES, movie("A", score="0.0")))
    assert work["raw_popularity"] == 0.0
    assert work["imputed"] == []


def test_a_missing_date_is_not_made_up():
    work = only_work(cleaned(MOVIES, movie("A", "12/31/9999")))
    assert work["release_date"] is None
    assert work["imputed"] == []


def test_an_item_column_without_a_source_column_gets_the_default():
    work = only_work(cleaned(MUSIC, track("t1")))
    assert work["description"] == NO_DESCRIPTION
    assert work["imputed"] == ["description"]


def test_an_empty_list_of_genres_is_missing_but_not_unparseable():
    result = cleaned(BOOKS, book("A", Genres="[]"), book("B", Genres="Fiction"))
    assert result.works["genres"].to_list() == [[UNKNOWN_GENRE]] * 2
    assert result.unparseable == {"Genres": 1}


def test_unparseable_cells_are_counted_by_source_column():
    result = cleaned(MOVIES, movie("A", "soon"), movie("B", "never", score="x"), movie("C", ""))
    assert result.unparseable == {"date_x": 2, "score": 1}


def test_filled_cells_are_counted_by_item_column():
    result = cleaned(MOVIES, movie("A", genre=None), movie("B", genre=None, crew=None))
    assert result.filled == {"genres": 2, "creators": 1}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (track(None), "missing_track_id"),
        (track("t", artists=" ; "), "missing_artist"),
        (track("t", album_name=" "), "missing_album"),
        (track("t", track_name=None), "missing_title"),
    ],
)
def test_a_track_without_id_artist_album_or_name_is_rejected(row: Row, reason: str):
    result = cleaned(MUSIC, track("kept"), row)
    assert result.works["name"].to_list() == ["kept"]
    assert result.rejected["reason"].to_list() == [reason]


def test_a_rejected_row_says_everything_it_lacks():
    result = cleaned(MUSIC, track("t", artists=";", album_name=None, track_name=""))
    assert reasons(result) == [
        (
            1,
            "missing_artist",
            "column 'artists' cannot be read: ';'; column 'album_name' is empty; "
            "column 'track_name' is empty",
        )
    ]


def test_a_rejected_row_keeps_its_title_for_the_reader():
    rejected = cleaned(MUSIC, track("t", artists=None, track_name="Gone")).rejected
    assert rejected.row(0, named=True) == {
        "source": "music:test.csv",
        "source_row": 1,
        "item_type": "Music",
        "reason": "missing_artist",
        "detail": "column 'artists' is empty",
        "title": "Gone",
    }


def test_a_track_listed_under_several_genres_is_one_item_with_all_of_them():
    result = cleaned(
        MUSIC,
        track("t", track_genre="rock", artists="X;Y"),
        track("u"),
        track("t", track_genre="indie", artists="Y;Z"),
        track("t", track_genre="rock"),
    )
    assert result.works["name"].to_list() == ["t", "u"]
    assert result.works["genres"].to_list() == [["rock", "indie"], ["pop"]]
    assert result.works["creators"].to_list()[0] == ["X", "Y", "Z", "Artist"]
    assert reasons(result) == [
        (3, "merged_into", "same work as row 1"),
        (4, "merged_into", "same work as row 1"),
    ]


def test_rows_equal_in_all_but_their_number_are_duplicates():
    first, second, third = (track("t", **{"Unnamed: 0": str(n)}) for n in range(3))
    third["tempo"] = "120"
    assert reasons(cleaned(MUSIC, first, second, third)) == [
        (2, "duplicate", "same as row 1"),
        (3, "merged_into", "same work as row 1"),
    ]


def test_the_same_work_with_other_figures_keeps_the_first_ones():
    result = cleaned(
        MOVIES,
        movie("A", "01/01/2000", score="70", budget_x="1"),
        movie("A", "2000-01-01", score="10", budget_x="2"),
    )
    assert only_work(result)["raw_popularity"] == 70
    assert [reason for _, reason, _ in reasons(result)] == ["merged_into"]


def test_what_the_first_row_lacks_comes_from_a_later_row_before_any_placeholder():
    work = only_work(
        cleaned(
            MOVIES,
            movie("A", "01/01/2000", overview=None, genre=None, score=None, crew=None),
            movie("A", "01/01/2000", overview="Found.", genre=None, score="5", crew=None),
            movie("A", "01/01/2000", overview="Late.", genre="War", score="6", crew=None),
        )
    )
    assert work["description"] == "Found."
    assert work["genres"] == ["War"]
    assert work["raw_popularity"] == 5
    assert work["imputed"] == ["creators"]
    assert work["source_row"] == 1


def test_one_name_on_two_dates_is_two_works():
    result = cleaned(MOVIES, movie("A", "01/01/2000"), movie("A", "01/01/2010"))
    assert result.works.height == 2


def test_one_title_by_two_authors_is_two_works():
    result = cleaned(BOOKS, book("A", "X"), book("A", "Y"), book("A", None), book("A", " "))
    assert result.works["natural_key"].to_list() == ["A\tX", "A\tY", "A\t"]


def test_a_row_merged_into_one_of_another_file_says_so():
    raw = pl.concat(
        [
            raw_rows(MOVIES, [movie("A")], "one.csv"),
            raw_rows(MOVIES, [movie("B"), movie("A", score="1")], "two.csv"),
        ]
    )
    assert reasons(clean(raw, MOVIES)) == [
        (2, "merged_into", "same work as row 1 of movies:one.csv")
    ]


def test_a_rejected_row_is_no_part_of_a_merge():
    result = cleaned(
        MUSIC, track("t", artists=None, track_genre="rock"), track("t", track_genre="jazz")
    )
    assert only_work(result)["genres"] == ["jazz"]
    assert [reason for _, reason, _ in reasons(result)] == ["missing_artist"]


def test_every_row_delivered_is_in_parsed():
    result = cleaned(MOVIES, movie(None), movie("A"), movie("A"))
    assert result.parsed["source_row"].to_list() == [1, 2, 3]
    assert result.parsed.schema["score"] == pl.Float64


some_movies = st.lists(
    st.builds(
        movie,
        st.sampled_from([None, "", "A", "B", "A "]),
        st.sampled_from([None, "01/01/2000", "2000-01-01", "nonsense"]),
        genre=st.sampled_from([None, "War", "Drama, War"]),
        score=st.sampled_from([None, "5", "x"]),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(some_movies)
def test_rows_in_are_items_plus_rejected(rows: list[Row]):
    result = cleaned(MOVIES, *rows)
    places = [*result.works["source_row"], *result.rejected["source_row"]]
    assert sorted(places) == list(range(1, len(rows) + 1))
    assert result.works["natural_key"].is_unique().all()


@settings(deadline=None, max_examples=40)
@given(some_movies)
def test_nothing_but_date_and_raw_popularity_is_ever_null(rows: list[Row]):
    works = cleaned(MOVIES, *rows).works.drop("release_date", "raw_popularity")
    assert sum(works.null_count().row(0)) == 0
    lost = {"missing_title", *MERGE_REASONS}
    assert set(cleaned(MOVIES, *rows).rejected["reason"]) <= lost


def spec_with(column: SourceColumn) -> DomainSpec:
    title = SourceColumn("show", parsers.text, becomes="title", missing=Reject("missing_title"))
    return DomainSpec("shows", "Show", (title, column), ("show",), "show")


def test_a_domain_may_fill_its_popularity():
    spec = spec_with(
        SourceColumn("stars", parsers.integer, becomes="raw_popularity", missing=Fill(3.0))
    )
    work = only_work(cleaned(spec, {"show": "A"}))
    assert work["raw_popularity"] == 3.0
    assert work["imputed"] == ["description", "genres", "creators", "raw_popularity"]


def test_a_parser_of_the_wrong_type_is_refused():
    spec = spec_with(SourceColumn("host", parsers.text, becomes="creators"))
    with pytest.raises(SettingsError, match="column 'host' becomes 'creators'"):
        cleaned(spec, {"show": "A"})
