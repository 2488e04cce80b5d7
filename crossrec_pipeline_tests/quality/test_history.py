import datetime as dt

import polars as pl

from crossrec_pipeline.quality.history import (
    BUILD_HISTORY,
    BUILD_HISTORY_DESCRIPTIONS,
    build_history,
    last_good,
)
from crossrec_pipeline_tests.quality.small_catalogue import Staged, small_catalogue

MONDAY = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
TUESDAY = MONDAY + dt.timedelta(days=1)


def history_of(staged: Staged, built_at: dt.datetime) -> pl.DataFrame:
    return build_history(staged.specs, staged.items, staged.rejected, staged.raw, built_at, "abc")


def test_history_has_the_declared_columns_all_of_them_described():
    history = history_of(small_catalogue(), MONDAY)

    assert dict(history.schema) == BUILD_HISTORY
    assert list(BUILD_HISTORY_DESCRIPTIONS) == list(BUILD_HISTORY)


def test_history_counts_rows_of_each_source():
    history = history_of(small_catalogue(), MONDAY)

    counts = (
        history.select("source", "rows_in", "rows_out", "rows_rejected").unique().sort("source")
    )
    assert counts.rows() == [("movies", 3, 2, 1), ("music", 4, 3, 1)]
    assert set(history["built_at"]) == {MONDAY}
    assert set(history["version"]) == {"abc"}


def test_fill_rate_counts_neither_nulls_nor_imputed_cells():
    history = history_of(small_catalogue(), MONDAY)

    rates = {
        row["column"]: row["fill_rate"] for row in history.to_dicts() if row["source"] == "movies"
    }
    assert rates == {
        "title": 1.0,
        "release_date": 0.5,
        "raw_popularity": 0.5,
        "genres": 0.5,
        "description": 0.5,
        "creators": 0.5,
    }


def test_column_the_source_does_not_have_is_no_part_of_its_history():
    history = history_of(small_catalogue(), MONDAY)

    assert "description" not in set(history.filter(source="music")["column"])


def test_source_without_items_has_no_fill_rate():
    staged = small_catalogue()
    history = history_of(
        Staged(staged.items.filter(item_type="Music"), staged.rejected, staged.raw), MONDAY
    )

    assert set(history.filter(source="movies")["fill_rate"]) == {None}


def test_time_of_another_zone_is_kept_in_utc():
    paris = dt.timezone(dt.timedelta(hours=1))
    history = history_of(small_catalogue(), dt.datetime(2024, 1, 1, 13, tzinfo=paris))

    assert set(history["built_at"]) == {MONDAY}


def test_last_good_build_is_the_newest_of_each_source():
    first = history_of(small_catalogue(), MONDAY)
    second = history_of(small_catalogue(), TUESDAY).filter(source="movies")
    last = last_good(pl.concat([second, first]))

    newest = last.group_by("source").agg(pl.col("built_at").unique().implode().first())
    assert dict(newest.select("source", pl.col("built_at").list.first()).iter_rows()) == {
        "movies": TUESDAY,
        "music": MONDAY,
    }
    assert last.height == first.height


def test_empty_history_has_no_last_good_build():
    assert last_good(pl.DataFrame(schema=BUILD_HISTORY)).is_empty()
