"""A staged catalogue of five items, written down by hand, and ways to spoil it."""

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from crossrec_pipeline.catalogue.schema import ITEMS, REJECTED_ITEMS
from crossrec_pipeline.domains import MOVIES, MUSIC, NO_CREATOR, NO_DESCRIPTION, DomainSpec
from crossrec_pipeline.quality.history import BUILD_HISTORY
from crossrec_pipeline.quality.suites import staged_suites
from crossrec_pipeline.quality.validate import SuiteResult, validate
from crossrec_pipeline.settings import QualitySettings


def raw_frame(spec: DomainSpec, rows: list[dict[str, str | None]]) -> pl.DataFrame:
    names = [column.name for column in spec.columns]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))
    return frame.with_columns(
        source=pl.lit(f"{spec.name}:{spec.name}.csv"),
        source_row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
    )


def movie_row(name: str | None, **cells: str | None) -> dict[str, str | None]:
    filled: dict[str, str | None] = {
        "names": name,
        "date_x": "12/15/1995 ",
        "score": "79",
        "genre": "Crime, Drama",
        "overview": "A thief and a detective.",
        "crew": "Al Pacino, Vincent Hanna",
    }
    return filled | cells


def music_row(track: str, genre: str | None) -> dict[str, str | None]:
    return {
        "track_id": track,
        "artists": "Ingrid Michaelson;ZAYN",
        "album_name": "To Begin Again",
        "track_name": "To Begin Again",
        "popularity": "55",
        "track_genre": genre,
    }


def movie_item(name: str, source_row: int, **values: Any) -> dict[str, Any]:
    filled = {
        "item_id": f"Movie_{name}",
        "item_type": "Movie",
        "title": name,
        "description": "A thief and a detective.",
        "genres": ["Crime", "Drama"],
        "creators": ["Al Pacino"],
        "popularity": 1.0,
        "raw_popularity": 79.0,
        "release_date": dt.date(1995, 12, 15),
        "imputed": [],
        "source": "movies:movies.csv",
        "source_row": source_row,
    }
    return filled | values


def music_item(track: str, source_row: int, **values: Any) -> dict[str, Any]:
    filled = {
        "item_id": f"Music_{track}",
        "item_type": "Music",
        "title": "To Begin Again",
        "description": NO_DESCRIPTION,
        "genres": ["acoustic"],
        "creators": ["Ingrid Michaelson", "ZAYN"],
        "popularity": 0.75,
        "raw_popularity": 55.0,
        "release_date": None,
        "imputed": ["description"],
        "source": "music:music.csv",
        "source_row": source_row,
    }
    return filled | values


def rejected_row(spec: DomainSpec, source_row: int, reason: str | None) -> dict[str, Any]:
    return {
        "source": f"{spec.name}:{spec.name}.csv",
        "source_row": source_row,
        "item_type": spec.item_type,
        "reason": reason,
        "detail": "",
        "title": None,
    }


@dataclass(frozen=True)
class Staged:
    """What the checks are given; `check` runs one suite of them."""

    items: pl.DataFrame
    rejected: pl.DataFrame
    raw: dict[str, pl.DataFrame]
    specs: tuple[DomainSpec, ...] = (MOVIES, MUSIC)
    history: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BUILD_HISTORY))
    bounds: QualitySettings = field(default_factory=QualitySettings)

    def check(self, suite_name: str) -> SuiteResult:
        audits = staged_suites(
            self.specs, self.items, self.rejected, self.raw, self.history, self.bounds
        )
        frame, suite = next(pair for pair in audits if pair[1].name == suite_name)
        return validate(frame, suite)

    def with_cell(self, item_id: str, column: str, value: Any) -> "Staged":
        """The same, but one cell of the items holds `value`."""
        rows = [
            row | {column: value} if row["item_id"] == item_id else row
            for row in self.items.to_dicts()
        ]
        return replace(self, items=items_frame(rows))

    def without_item(self, item_id: str) -> "Staged":
        return replace(self, items=self.items.filter(pl.col("item_id") != item_id))


def items_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ITEMS)


def rejected_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=REJECTED_ITEMS)


def small_catalogue() -> Staged:
    """Five items of seven rows: what is empty is filled, and two rows are merged into others.

    The first row of the track ``t2`` has no genre, its second row has one.
    """
    empty = {"date_x": None, "score": None, "genre": " ", "overview": "", "crew": None}
    return Staged(
        raw={
            "movies": raw_frame(
                MOVIES,
                [movie_row("Heat"), movie_row("Alien", **empty), movie_row("Heat", overview=None)],
            ),
            "music": raw_frame(
                MUSIC,
                [
                    music_row("t1", "acoustic"),
                    music_row("t2", None),
                    music_row("t3", "acoustic"),
                    music_row("t2", "rock"),
                ],
            ),
        },
        items=items_frame(
            [
                movie_item("Heat", 1),
                movie_item(
                    "Alien",
                    2,
                    description=NO_DESCRIPTION,
                    genres=["Unknown"],
                    creators=[NO_CREATOR],
                    popularity=0.0,
                    raw_popularity=None,
                    release_date=None,
                    imputed=["description", "genres", "creators", "popularity"],
                ),
                music_item("t1", 1),
                music_item("t2", 2, genres=["rock"]),
                music_item("t3", 3),
            ]
        ),
        rejected=rejected_frame(
            [rejected_row(MOVIES, 3, "merged_into"), rejected_row(MUSIC, 4, "merged_into")]
        ),
    )


def many_movies(n_items: int, n_rejected: int = 0, reason: str = "missing_title") -> Staged:
    """`n_items` items and, after them, `n_rejected` rejected rows."""
    names = [f"Film {number}" for number in range(1, n_items + 1)]
    lost_name = None if reason == "missing_title" else "Film 1"
    return Staged(
        specs=(MOVIES,),
        raw={
            "movies": raw_frame(
                MOVIES, [*map(movie_row, names), *[movie_row(lost_name)] * n_rejected]
            )
        },
        items=items_frame([movie_item(name, row) for row, name in enumerate(names, 1)]),
        rejected=rejected_frame(
            [rejected_row(MOVIES, n_items + 1 + k, reason) for k in range(n_rejected)]
        ),
    )
