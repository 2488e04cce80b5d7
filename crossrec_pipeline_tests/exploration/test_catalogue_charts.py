from datetime import date
from typing import Any

import polars as pl
import pytest

from crossrec_pipeline import parsers
from crossrec_pipeline.domains import BOOKS, MOVIES, MUSIC, DomainSpec, Reject, SourceColumn
from crossrec_pipeline.exploration import catalogue_charts as charts
from crossrec_pipeline.exploration.aggregates import NoDataError
from crossrec_pipeline.exploration.catalogue_charts import catalogue_drawings
from crossrec_pipeline.exploration.chart_forms import MAX_POINTS, short
from crossrec_pipeline_tests.exploration.chart_data import drawn_rows, subtitle

GAMES = DomainSpec(
    name="games",
    item_type="Game",
    natural_key=("id",),
    id_column="id",
    columns=(
        SourceColumn("id", parsers.integer, missing=Reject("missing_id")),
        SourceColumn("name", parsers.text, becomes="title", missing=Reject("missing_title")),
        SourceColumn("tags", parsers.comma_list, becomes="genres"),
        SourceColumn("studio", parsers.text, becomes="creators"),
        SourceColumn("stars", parsers.number, becomes="raw_popularity"),
        SourceColumn("out", parsers.date, becomes="release_date"),
        SourceColumn("price", parsers.number),
    ),
)


@pytest.fixture
def movies() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "names": ["Titanic", "Titanic", "Up", "Up", "Free"],
            "date_x": [
                date(1997, 12, 1),
                date(1953, 4, 1),
                date(2009, 5, 1),
                date(2009, 5, 1),
                None,
            ],
            "score": [79.0, 69.0, 80.0, 80.0, None],
            "genre": [["Drama", "Romance"], ["Drama"], ["Comedy"], ["Comedy"], None],
            "crew": [["Kate", "Leo"], ["Barbara"], ["Ed"], ["Ed"], ["Kate"]],
            "budget_x": [200e6, 2e6, 175e6, 175e6, 0.0],
            "revenue": [2_264e6, 4e6, 735e6, 735e6, None],
        }
    )


def pairs(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_top_genres_counts_movies_not_rows(movies: pl.DataFrame):
    chart = charts.top_genres(movies, MOVIES)
    assert pairs(drawn_rows(chart), "value", "works") == [
        ("Drama", 2),
        ("Comedy", 1),
        ("Romance", 1),
    ]
    assert subtitle(chart).startswith("3 of 4 movies have a value in genre.")


def test_most_frequent_crew(movies: pl.DataFrame):
    rows = drawn_rows(charts.top_creators(movies, MOVIES))
    assert pairs(rows, "value", "works")[:2] == [("Kate", 2), ("Barbara", 1)]


def test_releases_are_counted_by_year(movies: pl.DataFrame):
    chart = charts.releases_by_year(movies, MOVIES)
    assert pairs(drawn_rows(chart), "year", "works") == [(1953, 1), (1997, 1), (2009, 1)]
    assert subtitle(chart) == "3 of 4 movies have a readable date."


def test_scores_are_counted_in_bins(movies: pl.DataFrame):
    chart = charts.popularity_distribution(movies, MOVIES)
    filled = [row for row in drawn_rows(chart) if row["count"]]
    assert pairs(filled, "start", "count") == [(69, 1), (79, 1), (80, 1)]
    assert subtitle(chart) == "3 movies with a value; median 79, mean 76."


def test_highest_grossing_tells_equal_titles_apart_by_year(movies: pl.DataFrame):
    rows = drawn_rows(charts.highest_grossing(movies))
    assert pairs(rows, "label", "revenue", "text") == [
        ("Titanic (1997)", 2_264e6, "2.26 B"),
        ("Up (2009)", 735e6, "735 M"),
        ("Titanic (1953)", 4e6, "4.00 M"),
    ]


def test_budget_against_revenue_leaves_out_zeros_which_have_no_logarithm(movies: pl.DataFrame):
    chart = charts.budget_against_revenue(movies)
    assert pairs(drawn_rows(chart), "budget_x", "revenue") == [
        (200e6, 2_264e6),
        (2e6, 4e6),
        (175e6, 735e6),
    ]
    assert subtitle(chart).startswith("3 movies with both above zero")


def test_a_large_cloud_is_sampled_and_says_so():
    n = 3 * MAX_POINTS
    tracks = pl.DataFrame(
        {
            "track_id": [str(i) for i in range(n)],
            "danceability": [i / n for i in range(n)],
            "energy": [1 - i / n for i in range(n)],
        }
    )
    chart = charts.danceability_against_energy(tracks)
    assert len(drawn_rows(chart)) == MAX_POINTS
    assert subtitle(chart) == "A seeded random sample of 2,000 of 6,000 tracks."
    assert chart.to_dict() == charts.danceability_against_energy(tracks).to_dict()


def test_a_track_under_two_genres_counts_once_for_its_artist_and_once_a_genre():
    tracks = pl.DataFrame(
        {
            "track_id": ["t1", "t1", "t2"],
            "artists": [["ZAYN"], ["ZAYN"], ["ZAYN", "Sia"]],
            "track_genre": [["pop"], ["dance"], ["pop"]],
        }
    )
    artists = drawn_rows(charts.top_creators(tracks, MUSIC))
    assert pairs(artists, "value", "works") == [("ZAYN", 2), ("Sia", 1)]
    genres = drawn_rows(charts.top_genres(tracks, MUSIC))
    assert pairs(genres, "value", "works") == [("pop", 2), ("dance", 1)]


def test_most_rated_books_carry_their_first_author():
    books = pl.DataFrame(
        {
            "Book": ["It", "It", "Emma"],
            "Author": [["King", "Hill"], None, ["Austen"]],
            "Num_Ratings": [1_500_000, 7, 300_000],
        }
    )
    rows = drawn_rows(charts.most_rated(books))
    assert pairs(rows, "label", "text") == [
        ("It (King)", "1.50 M"),
        ("Emma (Austen)", "300,000"),
        ("It (?)", "7"),
    ]


def test_correlations_are_of_declared_numbers_that_are_no_keys():
    books = pl.DataFrame(
        {
            "Unnamed: 0": [0, 1, 2],
            "Book": ["a", "b", "c"],
            "Author": [["x"], ["y"], ["z"]],
            "Avg_Rating": [3.0, 4.0, 5.0],
            "Num_Ratings": [900, 50, 10],
            "source_row": [1, 2, 3],
        }
    )
    rows = drawn_rows(charts.correlations(books, BOOKS))
    assert pairs(rows, "x", "y", "correlation") == [
        ("Avg_Rating", "Avg_Rating", pytest.approx(1.0)),
        ("Avg_Rating", "Num_Ratings", pytest.approx(-1.0)),
        ("Num_Ratings", "Avg_Rating", pytest.approx(-1.0)),
        ("Num_Ratings", "Num_Ratings", pytest.approx(1.0)),
    ]


def test_built_in_domains_draw_what_is_particular_to_them():
    assert list(catalogue_drawings(MOVIES)) == [
        "Top genres",
        "Score distribution",
        "Budget against revenue",
        "Highest grossing",
        "Releases by year",
        "Most frequent crew",
        "Correlations of numeric columns",
    ]
    assert list(catalogue_drawings(MUSIC)) == [
        "Top genres",
        "Popularity distribution",
        "Danceability against energy",
        "Top artists",
        "Correlations of numeric columns",
    ]
    assert list(catalogue_drawings(BOOKS)) == [
        "Top genres",
        "Rating distribution",
        "Most rated",
        "Top authors",
        "Correlations of numeric columns",
    ]


def test_an_added_domain_gets_the_charts_of_its_roles():
    games = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "name": ["a", "b", "c"],
            "tags": [["puzzle"], ["puzzle", "race"], None],
            "studio": ["Old", "Old", "New"],
            "stars": [1.0, 3.0, 3.0],
            "out": [date(2001, 1, 1), date(2001, 2, 1), None],
            "price": [5.0, 6.0, 7.0],
        }
    )
    drawings = catalogue_drawings(GAMES)
    drawn = {title: drawn_rows(draw(games)) for title, draw in drawings.items()}
    assert pairs(drawn["Top genres"], "value", "works") == [("puzzle", 2), ("race", 1)]
    assert pairs(drawn["Top creators"], "value", "works") == [("Old", 2), ("New", 1)]
    assert pairs(drawn["Popularity distribution"], "start", "count") == [(1, 1), (2, 0), (3, 2)]
    assert pairs(drawn["Releases by year"], "year", "works") == [(2001, 2)]
    assert {row["x"] for row in drawn["Correlations of numeric columns"]} == {"stars", "price"}


def test_a_domain_without_dates_has_no_chart_of_releases():
    assert "Releases by year" not in catalogue_drawings(BOOKS)


@pytest.mark.parametrize(
    ("title", "emptied", "message"),
    [
        ("Most frequent crew", {"crew": pl.lit(None, pl.List(pl.String))}, "no column crew"),
        ("Budget against revenue", {"budget_x": pl.lit(None, pl.Float64)}, "no column budget_x"),
        ("Budget against revenue", {"budget_x": pl.lit(0.0)}, "both a budget and a revenue"),
        ("Highest grossing", {"revenue": pl.lit(0.0)}, "revenue above zero"),
        ("Releases by year", {"date_x": pl.lit(None, pl.Date)}, "no column date_x"),
        ("Correlations of numeric columns", {"budget_x": 1.0, "revenue": 1.0}, "fewer than two"),
    ],
)
def test_what_is_missing_is_said(
    movies: pl.DataFrame, title: str, emptied: dict[str, Any], message: str
):
    with pytest.raises(NoDataError, match=message):
        catalogue_drawings(MOVIES)[title](movies.with_columns(**emptied))


@pytest.mark.parametrize("spec", [MOVIES, MUSIC, BOOKS])
def test_a_catalogue_of_nulls_draws_nothing_and_breaks_nothing(spec: DomainSpec):
    nothing = pl.DataFrame(
        {column.name: [None, None] for column in spec.columns},
        schema={column.name: pl.String for column in spec.columns},
    ).select(column.parse(pl.col(column.name)).alias(column.name) for column in spec.columns)
    for draw in catalogue_drawings(spec).values():
        with pytest.raises(NoDataError, match="No data"):
            draw(nothing)


def test_large_numbers_are_written_short():
    assert [short(number) for number in (0, 12, 9_278, 999_999, 1_000_000, 2_923_706_026)] == [
        "0",
        "12",
        "9,278",
        "999,999",
        "1.00 M",
        "2.92 B",
    ]
