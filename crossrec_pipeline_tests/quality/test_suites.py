import datetime as dt
import math
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from crossrec_pipeline import parsers
from crossrec_pipeline.domains import MUSIC, NO_DESCRIPTION, DomainSpec, Reject, SourceColumn
from crossrec_pipeline.quality.history import build_history
from crossrec_pipeline.quality.suites import STAGED_SUITES, staged_suites
from crossrec_pipeline.quality.validate import SuiteResult, validate_suites
from crossrec_pipeline.settings import QualitySettings
from crossrec_pipeline_tests.quality.small_catalogue import (
    Staged,
    items_frame,
    many_movies,
    movie_item,
    raw_frame,
    rejected_frame,
    rejected_row,
    small_catalogue,
)


def failing(result: SuiteResult) -> set[str | None]:
    return {row.column for row in result.failures}


def examples(result: SuiteResult, column: str | None) -> list[dict[str, Any]]:
    return [
        dict(example) for row in result.failures if row.column == column for example in row.examples
    ]


def test_good_catalogue_passes_every_suite_under_its_announced_name():
    staged = small_catalogue()
    results = validate_suites(
        staged_suites(
            staged.specs,
            staged.items,
            staged.rejected,
            staged.raw,
            staged.history,
            staged.bounds,
        )
    )

    assert [result.name for result in results] == list(STAGED_SUITES)
    assert [result.description for result in results] == list(STAGED_SUITES.values())
    assert [result.markdown() for result in results if result.failures] == []


class TestSchema:
    def test_wrong_type_fails_and_names_both_types(self):
        staged = small_catalogue()
        result = replace(staged, items=staged.items.cast({"title": pl.Binary})).check("schema")

        assert not result.success
        assert result.failures[0].examples == (
            {"table": "items", "column": "title", "expected": "String", "found": "Binary"},
        )

    @pytest.mark.parametrize("suite", STAGED_SUITES)
    def test_missing_column_fails_every_suite_instead_of_raising(self, suite: str):
        staged = small_catalogue()
        result = replace(staged, items=staged.items.drop("genres")).check(suite)

        assert not result.success
        assert result.failures[0].examples[0]["column"] == "genres"
        assert result.failures[0].examples[0]["found"] == "missing"

    def test_raw_column_that_is_already_parsed_fails(self):
        staged = small_catalogue()
        movies = staged.raw["movies"].with_columns(pl.col("score").cast(pl.Float64))
        result = replace(staged, raw=staged.raw | {"movies": movies}).check("schema")

        assert "raw\\_movies" in result.markdown()
        assert "Float64" in result.markdown()

    def test_source_that_was_not_delivered_fails(self):
        staged = small_catalogue()
        result = replace(staged, raw={"movies": staged.raw["movies"]}).check("schema")

        assert {example["table"] for example in result.failures[0].examples} == {"raw_music"}

    def test_column_nobody_declared_fails(self):
        staged = small_catalogue()
        result = replace(staged, items=staged.items.with_columns(year=1995)).check("schema")

        assert result.failures[0].examples == (
            {"table": "items", "column": "year", "expected": "none", "found": "Int32"},
        )


class TestCompleteness:
    @pytest.mark.parametrize(
        "column",
        ["item_type", "title", "description", "genres", "creators", "popularity", "imputed"],
    )
    def test_null_fails_and_names_the_item(self, column: str):
        result = small_catalogue().with_cell("Movie_Heat", column, None).check("completeness")

        assert not result.success
        assert examples(result, column) == [
            {"item_id": "Movie_Heat", "source": "movies:movies.csv", "source_row": 1, column: None}
        ]

    def test_null_id_fails_and_names_the_row(self):
        result = small_catalogue().with_cell("Movie_Heat", "item_id", None).check("completeness")

        assert examples(result, "item_id")[0]["source_row"] == 1

    @pytest.mark.parametrize("column", ["title", "description"])
    def test_blank_text_fails(self, column: str):
        result = small_catalogue().with_cell("Movie_Heat", column, " \t").check("completeness")

        assert failing(result) == {column}

    def test_null_release_date_passes(self):
        staged = small_catalogue().with_cell("Movie_Heat", "release_date", None)

        assert staged.check("completeness").success

    def test_empty_list_fails(self):
        result = small_catalogue().with_cell("Movie_Heat", "genres", []).check("completeness")

        assert failing(result) == {"genres_length"}

    @pytest.mark.parametrize("element", [None, "", "  "])
    def test_blank_element_of_a_list_fails(self, element: str | None):
        staged = small_catalogue().with_cell("Movie_Heat", "creators", ["Al Pacino", element])
        result = staged.check("completeness")

        assert failing(result) == {"creators_blank"}
        assert examples(result, "creators_blank")[0]["creators"].startswith("Al Pacino, ")


class TestPlaceholders:
    def test_placeholder_over_a_value_fails_and_shows_the_lost_value(self):
        staged = small_catalogue().with_cell("Movie_Heat", "genres", ["Unknown"])
        result = staged.check("placeholders")

        assert failing(result) == {"holds_placeholder, source_is_empty"}
        (shown,) = examples(result, "holds_placeholder, source_is_empty")
        assert shown["item_id"] == "Movie_Heat"
        assert shown["column"] == "genres"
        assert shown["value"] == "Unknown"
        assert shown["source_value"] == "Crime, Drama"

    def test_placeholder_over_the_value_of_a_merged_row_fails(self):
        staged = (
            small_catalogue()
            .with_cell("Music_t2", "genres", ["Unknown"])
            .with_cell("Music_t2", "imputed", ["description", "genres"])
        )
        result = staged.check("placeholders")

        assert examples(result, "holds_placeholder, source_is_empty")[0]["source_value"] == "rock"
        assert examples(result, "marked, source_is_empty")[0]["item_id"] == "Music_t2"

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("description", "An invented plot."),
            ("genres", ["Horror"]),
            ("genres", ["Unknown", "Unknown"]),
            ("creators", ["Ridley Scott"]),
            ("popularity", 0.5),
        ],
    )
    def test_another_value_where_the_source_has_none_fails(self, column: str, value: Any):
        result = small_catalogue().with_cell("Movie_Alien", column, value).check("placeholders")

        assert failing(result) == {"holds_placeholder, source_is_empty"}
        (shown,) = examples(result, "holds_placeholder, source_is_empty")
        assert (shown["item_id"], shown["column"]) == ("Movie_Alien", column)

    def test_another_value_in_a_column_the_source_does_not_have_fails(self):
        staged = small_catalogue().with_cell("Music_t1", "description", "A song.")

        assert failing(staged.check("placeholders")) == {"holds_placeholder, source_is_empty"}

    def test_word_unknown_of_the_source_itself_is_a_value(self):
        staged = small_catalogue()
        movies = staged.raw["movies"].with_columns(
            genre=pl.when(source_row=1).then(pl.lit("Unknown")).otherwise("genre")
        )
        staged = replace(staged, raw=staged.raw | {"movies": movies})

        assert staged.with_cell("Movie_Heat", "genres", ["Unknown"]).check("placeholders").success

    def test_filled_column_that_is_not_marked_fails(self):
        staged = small_catalogue().with_cell(
            "Movie_Alien", "imputed", ["genres", "creators", "popularity"]
        )
        result = staged.check("placeholders")

        assert failing(result) == {"marked, source_is_empty"}
        (shown,) = examples(result, "marked, source_is_empty")
        assert (shown["column"], shown["value"]) == ("description", NO_DESCRIPTION)

    @pytest.mark.parametrize("mark", ["genres", "title", "release_date"])
    def test_marked_column_that_was_not_filled_fails(self, mark: str):
        result = small_catalogue().with_cell("Movie_Heat", "imputed", [mark]).check("placeholders")

        assert failing(result) == {"marked, source_is_empty"}
        assert examples(result, "marked, source_is_empty")[0]["column"] == mark

    def test_item_of_a_row_that_had_to_be_rejected_fails(self):
        staged = small_catalogue()
        music = staged.raw["music"].with_columns(
            album_name=pl.when(source_row=1).then(pl.lit(" ")).otherwise("album_name")
        )
        result = replace(staged, raw=staged.raw | {"music": music}).check("placeholders")

        assert failing(result) == {"source_is_empty"}
        assert {shown["item_id"] for shown in examples(result, "source_is_empty")} == {"Music_t1"}


class TestIdentity:
    def test_repeated_id_fails_and_shows_both_rows(self):
        result = small_catalogue().with_cell("Music_t3", "item_id", "Music_t1").check("identity")

        assert failing(result) == {"item_id"}
        assert [shown["source_row"] for shown in examples(result, "item_id")] == [1, 3]

    @pytest.mark.parametrize("item_id", ["Book_Heat", "Heat", "Movie_", "Movie_ ", "xMovie_Heat"])
    def test_id_without_the_prefix_of_its_type_fails(self, item_id: str):
        result = small_catalogue().with_cell("Movie_Heat", "item_id", item_id).check("identity")

        assert examples(result, "item_id of Movie")[0]["item_id"] == item_id

    def test_type_of_no_domain_fails(self):
        result = small_catalogue().with_cell("Movie_Heat", "item_type", "Film").check("identity")

        assert examples(result, "item_type")[0]["item_type"] == "Film"

    def test_two_items_of_one_row_fail(self):
        result = small_catalogue().with_cell("Music_t3", "source_row", 1).check("identity")

        assert failing(result) == {"source, source_row"}
        assert {shown["item_id"] for shown in examples(result, "source, source_row")} == {
            "Music_t1",
            "Music_t3",
        }

    def test_no_items_at_all_fail(self):
        staged = replace(small_catalogue(), items=items_frame([]))

        assert examples(staged.check("identity"), column=None) == [{"observed": 0}]

    def test_added_domain_gets_its_own_expectations(self):
        games = DomainSpec(
            name="games",
            item_type="Game",
            natural_key=("game",),
            id_column="game",
            columns=(
                SourceColumn(
                    "game", parsers.text, becomes="title", missing=Reject("missing_title")
                ),
            ),
        )
        game = movie_item("Pong", 1, item_type="Game", source="games:games.csv")
        staged = Staged(
            specs=(games,),
            items=items_frame([game]),
            rejected=rejected_frame([]),
            raw={"games": raw_frame(games, [{"game": "Pong"}])},
        )

        assert failing(staged.check("identity")) == {"item_id of Game"}
        assert failing(staged.check("placeholders")) == {
            "holds_placeholder, source_is_empty",
            "marked, source_is_empty",
        }


class TestRanges:
    @pytest.mark.parametrize("popularity", [1.2, -0.1, math.nan])
    def test_popularity_outside_zero_to_one_fails(self, popularity: float):
        result = small_catalogue().with_cell("Movie_Heat", "popularity", popularity).check("ranges")

        assert failing(result) == {"popularity"}
        assert str(examples(result, "popularity")[0]["popularity"]) == str(popularity)

    @pytest.mark.parametrize("score", [math.inf, -math.inf, math.nan])
    def test_raw_popularity_that_is_not_finite_fails(self, score: float):
        result = small_catalogue().with_cell("Movie_Heat", "raw_popularity", score).check("ranges")

        assert failing(result) == {"raw_popularity"}

    @pytest.mark.parametrize("day", [dt.date(9999, 1, 1), dt.date(999, 12, 31)])
    def test_release_date_of_an_impossible_year_fails(self, day: dt.date):
        result = small_catalogue().with_cell("Movie_Heat", "release_date", day).check("ranges")

        assert examples(result, "release_date")[0]["release_date"] == day
        assert str(day.year) in result.markdown()

    def test_release_date_of_next_year_passes(self):
        day = dt.date(dt.date.today().year + 1, 6, 1)

        assert (
            small_catalogue().with_cell("Movie_Heat", "release_date", day).check("ranges").success
        )

    @pytest.mark.parametrize("title", [" Heat", "Heat ", "Heat\n", "\tHeat"])
    def test_title_with_outer_blanks_fails(self, title: str):
        result = small_catalogue().with_cell("Movie_Heat", "title", title).check("ranges")

        assert examples(result, "title")[0]["title"] == title


class TestConservation:
    def test_lost_row_fails_and_is_named(self):
        result = small_catalogue().without_item("Music_t3").check("conservation")

        assert failing(result) == {"rows_in, rows_accounted", "rows_astray"}
        (shown,) = examples(result, "rows_in, rows_accounted")
        assert shown == {
            "source": "music",
            "rows_in": 4,
            "rows_accounted": 3,
            "rows_out": 2,
            "rows_rejected": 1,
            "astray": "3",
        }

    def test_lost_row_made_up_for_by_a_repeated_one_fails(self):
        result = small_catalogue().with_cell("Music_t3", "source_row", 1).check("conservation")

        assert failing(result) == {"rows_astray"}
        assert examples(result, "rows_astray")[0]["astray"] == "1, 3"

    def test_item_of_a_row_that_was_never_delivered_fails(self):
        result = small_catalogue().with_cell("Music_t3", "source_row", 99).check("conservation")

        assert examples(result, "rows_astray")[0]["astray"] == "3, 99"

    def test_row_that_is_item_and_rejected_fails(self):
        staged = small_catalogue()
        extra = rejected_frame([rejected_row(MUSIC, 1, "missing_artist")])
        result = replace(staged, rejected=pl.concat([staged.rejected, extra])).check("conservation")

        assert examples(result, "rows_astray")[0]["astray"] == "1"

    def test_rejected_row_without_reason_fails(self):
        staged = many_movies(3)
        raw = {"movies": many_movies(3, n_rejected=1).raw["movies"]}
        rejected = rejected_frame([rejected_row(staged.specs[0], 4, None)])
        result = replace(staged, raw=raw, rejected=rejected).check("conservation")

        assert failing(result) == {"rows_unexplained"}


class TestRejections:
    def test_five_percent_fail_and_the_reasons_are_shown(self):
        result = many_movies(95, n_rejected=5).check("rejections")

        assert not result.success
        assert examples(result, "rejected_share") == [
            {
                "source": "movies",
                "rejected_share": 0.05,
                "rows_lost": 5,
                "rows_in": 100,
                "reasons": "missing_title: 5",
            }
        ]

    def test_exactly_the_bound_passes(self):
        assert many_movies(99, n_rejected=1).check("rejections").success

    @pytest.mark.parametrize("reason", ["duplicate", "merged_into"])
    def test_merged_rows_are_no_loss(self, reason: str):
        assert many_movies(50, n_rejected=50, reason=reason).check("rejections").success

    def test_bound_is_a_setting(self):
        staged = many_movies(95, n_rejected=5)
        bounds = QualitySettings(max_rejected_share=0.05)

        assert replace(staged, bounds=bounds).check("rejections").success


def published(staged: Staged, day: int = 1) -> pl.DataFrame:
    built_at = dt.datetime(2024, 1, day, tzinfo=dt.UTC)
    return build_history(
        staged.specs, staged.items, staged.rejected, staged.raw, built_at, f"version {day}"
    )


class TestSize:
    def test_third_of_the_items_gone_fails_and_shows_both_sizes(self):
        result = replace(many_movies(20), history=published(many_movies(30))).check("size")

        assert examples(result, "size_ratio") == [
            {
                "source": "movies",
                "size_ratio": pytest.approx(2 / 3),
                "rows_out": 20,
                "last_rows_out": 30,
            }
        ]

    def test_a_tenth_gone_passes(self):
        assert replace(many_movies(27), history=published(many_movies(30))).check("size").success

    def test_growth_passes(self):
        assert replace(many_movies(30), history=published(many_movies(10))).check("size").success

    def test_newest_build_is_compared_with(self):
        history = pl.concat([published(many_movies(10), day=2), published(many_movies(30), day=1)])

        assert replace(many_movies(10), history=history).check("size").success

    def test_source_without_items_fails_even_on_a_first_build(self):
        staged = small_catalogue()
        music = staged.items.filter(pl.col("item_type") == "Music")
        result = replace(staged, items=music).check("size")

        assert examples(result, "rows_out")[0]["source"] == "movies"


class TestFillRates:
    def test_jump_of_a_fill_rate_fails_and_shows_both_rates(self):
        staged = replace(many_movies(10), history=published(many_movies(10)))
        spoilt = staged.with_cell("Movie_Film 1", "release_date", None)
        result = spoilt.check("fill_rates")

        assert examples(result, "change") == [
            {
                "source": "movies",
                "column": "release_date",
                "change": pytest.approx(-0.1),
                "fill_rate": 0.9,
                "last_fill_rate": 1.0,
            }
        ]

    def test_rise_of_a_fill_rate_fails_too(self):
        before = many_movies(10).with_cell("Movie_Film 1", "imputed", ["genres"])
        result = replace(many_movies(10), history=published(before)).check("fill_rates")

        assert [shown["column"] for shown in examples(result, "change")] == ["genres"]

    def test_change_within_the_bound_passes(self):
        staged = replace(many_movies(25), history=published(many_movies(25)))

        assert staged.with_cell("Movie_Film 1", "release_date", None).check("fill_rates").success

    def test_first_build_has_no_bound(self):
        staged = many_movies(10).with_cell("Movie_Film 1", "release_date", None)

        assert staged.check("fill_rates").success
