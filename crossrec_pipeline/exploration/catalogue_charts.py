"""A typed catalogue frame and its domain go in, charts come out: by role, and a few for one domain.

Every function raises NoDataError where the columns it draws are missing or empty. Works are counted
once: rows equal in the domain's natural key are one work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import altair as alt
import polars as pl

from crossrec_pipeline.domains import BOOKS, MOVIES, MUSIC, DomainSpec
from crossrec_pipeline.exploration.aggregates import (
    NoDataError,
    histogram,
    numeric_columns,
    rank_correlations,
    require_data,
    sample,
    top_counts,
    works,
    works_by_year,
)
from crossrec_pipeline.exploration.chart_forms import (
    MAX_POINTS,
    Chart,
    cloud,
    heat_map,
    histogram_bars,
    log_axis,
    log_scale,
    ranked_bars,
)

TOP = 15
_MAX_CORRELATED = 16

Draw = Callable[[pl.DataFrame], Chart]


@dataclass(frozen=True)
class Wording:
    """What a domain's works and roles are called in titles."""

    works: str
    creators: str
    popularity: str


_WORDINGS = {
    MOVIES.name: Wording("movies", "Most frequent crew", "Score"),
    MUSIC.name: Wording("tracks", "Top artists", "Popularity"),
    BOOKS.name: Wording("books", "Top authors", "Rating"),
}


def wording(spec: DomainSpec) -> Wording:
    """Return a domain's words; an added domain's works are called by its name."""
    return _WORDINGS.get(spec.name) or Wording(spec.name, "Top creators", "Popularity")


def catalogue_drawings(spec: DomainSpec) -> dict[str, Draw]:
    """Return all charts of a domain by title, the most telling first.

    Every domain has those of the roles its columns have (genres, creators, popularity, dates) and
    the correlations of its numeric columns; the built-in ones have further ones.
    """
    words, roles = wording(spec), spec.by_item_column
    drawings: dict[str, Draw] = {}
    if "genres" in roles:
        drawings["Top genres"] = partial(top_genres, spec=spec)
    if "raw_popularity" in roles:
        drawings[f"{words.popularity} distribution"] = partial(popularity_distribution, spec=spec)
    drawings |= _SPECIAL.get(spec.name, {})
    if "release_date" in roles:
        drawings["Releases by year"] = partial(releases_by_year, spec=spec)
    if "creators" in roles:
        drawings[words.creators] = partial(top_creators, spec=spec)
    drawings["Correlations of numeric columns"] = partial(correlations, spec=spec)
    return drawings


def top_genres(frame: pl.DataFrame, spec: DomainSpec) -> Chart:
    """Draw the genres of most works."""
    return _top(frame, spec, "genres", "top genres")


def top_creators(frame: pl.DataFrame, spec: DomainSpec) -> Chart:
    """Draw the creators (crew, artists, authors) of most works."""
    return _top(frame, spec, "creators", wording(spec).creators.lower())


def popularity_distribution(frame: pl.DataFrame, spec: DomainSpec) -> Chart:
    """Draw how many works have which raw popularity (score, popularity, average rating)."""
    words, column = wording(spec), spec.by_item_column["raw_popularity"].name
    require_data(frame, column)
    values = works(frame.drop_nulls(column), spec.natural_key)[column]
    return histogram_bars(
        histogram(values),
        start="start",
        end="end",
        count="count",
        x=words.popularity
        if column == words.popularity.lower()
        else f"{words.popularity} ({column})",
        y=words.works.capitalize(),
        title=f"{spec.name.capitalize()}: {words.popularity.lower()} distribution",
        subtitle=f"{len(values):,} {words.works} with a value; median {values.median():g}, "
        f"mean {values.mean():.4g}.",
    )


def releases_by_year(frame: pl.DataFrame, spec: DomainSpec) -> Chart:
    """Draw how many works were released in which year."""
    words, column = wording(spec), spec.by_item_column["release_date"].name
    require_data(frame, column)
    years = works_by_year(frame, column, spec.natural_key)
    dated, n = int(years["works"].sum()), works(frame, spec.natural_key).height
    return histogram_bars(
        years.with_columns((pl.col("year") + 1).alias("next_year")),
        start="year",
        end="next_year",
        count="works",
        x="Year of release",
        y=words.works.capitalize(),
        title=f"{spec.name.capitalize()}: releases by year",
        subtitle=f"{dated:,} of {n:,} {words.works} have a readable date.",
        x_format="d",
    )


def correlations(frame: pl.DataFrame, spec: DomainSpec) -> Chart:
    """Draw the rank correlation of every two numeric columns."""
    row_numbers = [column.name for column in spec.columns if column.row_number]
    left_out = (*spec.natural_key, spec.id_column, *row_numbers)
    declared = [column.name for column in spec.columns if column.name in frame.columns]
    columns = numeric_columns(frame.select(declared), left_out)
    if len(columns) < 2:
        raise NoDataError("No data: fewer than two numeric columns have different values.")
    shown = columns[:_MAX_CORRELATED]
    unique = works(frame, spec.natural_key)
    dropped = f" The first {len(shown)} of {len(columns)} columns." if columns != shown else ""
    return heat_map(
        rank_correlations(unique, shown),
        x="x",
        y="y",
        value="correlation",
        x_order=shown,
        y_order=shown,
        x_title=None,
        y_title=None,
        scale=alt.Scale(scheme="blueorange", domain=[-1, 1], reverse=True),
        value_format=".2f",
        title=f"{spec.name.capitalize()}: correlations of numeric columns",
        subtitle=f"Spearman's rank correlation, {unique.height:,} {wording(spec).works}, each pair "
        f"where both are known.{dropped}",
    )


def budget_against_revenue(frame: pl.DataFrame) -> Chart:
    """Draw movies by budget and revenue, both on a logarithmic scale."""
    require_data(frame, "budget_x", "revenue")
    known = works(
        frame.filter((pl.col("budget_x") > 0) & (pl.col("revenue") > 0)), MOVIES.natural_key
    ).select("budget_x", "revenue")
    if known.is_empty():
        raise NoDataError("No data: no movie has both a budget and a revenue above zero.")
    drawn = sample(known, MAX_POINTS)
    budgets = known["budget_x"].sort()
    even = pl.DataFrame({"budget_x": budgets[[0, -1]], "revenue": budgets[[0, -1]]})
    return cloud(
        drawn,
        x=alt.X("budget_x:Q", title="Budget, $", scale=log_scale(), axis=log_axis(budgets)),
        y=alt.Y(
            "revenue:Q", title="Revenue, $", scale=log_scale(), axis=log_axis(known["revenue"])
        ),
        title="Movies: budget against revenue",
        subtitle=f"{_drawn(drawn.height, known.height)} movies with both above zero; logarithmic "
        "scales. On the dashed line revenue equals budget.",
        line=even,
    )


def highest_grossing(frame: pl.DataFrame) -> Chart:
    """Draw the movies of the highest revenue."""
    require_data(frame, "revenue")
    movies = works(frame.filter(pl.col("revenue") > 0), MOVIES.natural_key)
    if movies.is_empty():
        raise NoDataError("No data: no movie has a revenue above zero.")
    top = _highest(movies, "names", pl.col("date_x").dt.year().cast(pl.String), "revenue")
    return ranked_bars(
        top,
        label="label",
        value="revenue",
        axis="Revenue, $",
        title="Movies: highest grossing",
        subtitle=f"The {top.height} highest of {movies.height:,} movies with a revenue above zero; "
        "not adjusted for inflation.",
    )


def most_rated(frame: pl.DataFrame) -> Chart:
    """Draw the books of the most ratings."""
    require_data(frame, "Num_Ratings")
    books = works(frame.drop_nulls("Num_Ratings"), BOOKS.natural_key)
    top = _highest(books, "Book", pl.col("Author").list.first(), "Num_Ratings")
    return ranked_bars(
        top,
        label="label",
        value="Num_Ratings",
        axis="Ratings",
        title="Books: most rated",
        subtitle=f"The {top.height} of most ratings among {books.height:,} books.",
    )


def danceability_against_energy(frame: pl.DataFrame) -> Chart:
    """Draw tracks by danceability and energy."""
    require_data(frame, "danceability", "energy")
    both = frame.drop_nulls(["danceability", "energy"])
    known = works(both, MUSIC.natural_key).select("danceability", "energy")
    if known.is_empty():
        raise NoDataError("No data: no track has both danceability and energy.")
    drawn = sample(known, MAX_POINTS)
    unit = alt.Scale(domain=[0, 1])
    return cloud(
        drawn,
        x=alt.X("danceability:Q", title="Danceability (0 to 1)", scale=unit),
        y=alt.Y("energy:Q", title="Energy (0 to 1)", scale=unit),
        title="Music: danceability against energy",
        subtitle=f"{_drawn(drawn.height, known.height)} tracks.",
    )


_SPECIAL: dict[str, dict[str, Draw]] = {
    MOVIES.name: {
        "Budget against revenue": budget_against_revenue,
        "Highest grossing": highest_grossing,
    },
    MUSIC.name: {"Danceability against energy": danceability_against_energy},
    BOOKS.name: {"Most rated": most_rated},
}


def _top(frame: pl.DataFrame, spec: DomainSpec, role: str, what: str) -> Chart:
    words, column = wording(spec), spec.by_item_column[role].name
    require_data(frame, column)
    unique = works(frame, spec.natural_key)
    with_value = works(frame.drop_nulls(column), spec.natural_key).height
    several = (
        " One with several counts in each." if isinstance(frame.schema[column], pl.List) else ""
    )
    top = top_counts(frame, column, spec.natural_key, TOP)
    return ranked_bars(
        top,
        label="value",
        value="works",
        axis=words.works.capitalize(),
        title=f"{spec.name.capitalize()}: {what}",
        subtitle=f"{with_value:,} of {unique.height:,} {words.works} have a value in {column}."
        f"{several}",
    )


def _highest(frame: pl.DataFrame, title: str, beside: pl.Expr, value: str) -> pl.DataFrame:
    """Return `label` and `value` of the rows of the highest values."""
    return (
        frame.select(
            pl.format("{} ({})", pl.col(title).fill_null("?"), beside.fill_null("?")).alias(
                "label"
            ),
            value,
        )
        .group_by("label")
        .agg(pl.col(value).max())
        .sort(value, "label", descending=[True, False])
        .head(TOP)
    )


def _drawn(n: int, of: int) -> str:
    return f"{of:,}" if n == of else f"A seeded random sample of {n:,} of {of:,}"
