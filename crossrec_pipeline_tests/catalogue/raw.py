"""Raw catalogues for tests, given by the few cells that matter."""

from collections.abc import Sequence

import polars as pl

from crossrec_pipeline.domains import DomainSpec

Row = dict[str, str | None]


def raw_rows(spec: DomainSpec, rows: Sequence[Row], source: str = "test.csv") -> pl.DataFrame:
    """Return what loading a file of these rows gives; columns left out are null."""
    names = [column.name for column in spec.columns]
    assert all(set(row) <= set(names) for row in rows)
    return pl.DataFrame(
        [{name: row.get(name) for name in names} for row in rows],
        schema=dict.fromkeys(names, pl.String),
    ).with_columns(
        pl.lit(f"{spec.name}:{source}").alias("source"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("source_row"),
    )


def movie(names: str | None, date: str | None = None, **cells: str | None) -> Row:
    """Return a movie with nothing else missing."""
    return {
        "names": names,
        "date_x": date,
        "score": "50",
        "genre": "Drama",
        "overview": "A film.",
        "crew": "Actor, Role",
        **cells,
    }


def track(track_id: str | None, **cells: str | None) -> Row:
    """Return a track with nothing else missing."""
    return {
        "track_id": track_id,
        "artists": "Artist",
        "album_name": "Album",
        "track_name": "Song",
        "popularity": "50",
        "track_genre": "pop",
        **cells,
    }


def book(title: str | None, author: str | None = "Author", **cells: str | None) -> Row:
    """Return a book with nothing else missing."""
    return {
        "Book": title,
        "Author": author,
        "Description": "A book.",
        "Genres": "['Fiction']",
        "Avg_Rating": "4.0",
        **cells,
    }
