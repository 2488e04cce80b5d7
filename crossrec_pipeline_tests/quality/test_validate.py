import math

import polars as pl
import pytest

from crossrec_pipeline.errors import QualityError
from crossrec_pipeline.quality.expectation import (
    Expectation,
    Suite,
    between,
    equal,
    has_rows,
    in_set,
    lacks,
    matches,
    not_null,
    unique,
    unique_together,
)
from crossrec_pipeline.quality.validate import MAX_EXAMPLES, validate, validate_suites


def suite_of(*expectations: Expectation, key: tuple[str, ...] = ("id",)) -> Suite:
    return Suite("numbers", "Numbers are as they should be.", expectations, key)


def frame_of(values: list, **columns: list) -> pl.DataFrame:
    ids = [f"row {number}" for number in range(len(values))]
    return pl.DataFrame({"id": ids, "x": values, **columns}, strict=False)


@pytest.mark.parametrize(
    ("expectation", "good", "bad", "failing_rows"),
    [
        (not_null("x", ""), ["a", "b"], ["a", None], ["row 1"]),
        (unique("x", ""), ["a", "b"], ["a", "a"], ["row 0", "row 1"]),
        (in_set("x", ["a", "b"], ""), ["a", None], ["a", "c"], ["row 1"]),
        (matches("x", "^a", ""), ["a1", None], ["a1", "ba"], ["row 1"]),
        (lacks("x", r"\s$", ""), ["a", None], ["a", "a\n"], ["row 1"]),
        (between("x", "", min_value=0, max_value=1), [0.0, 1.0], [1.2, 1.0], ["row 0"]),
        (between("x", "", max_value=1), [-9.0, None], [0.0, math.nan], ["row 1"]),
    ],
)
def test_expectation_passes_good_values_and_names_bad_rows(
    expectation: Expectation, good: list, bad: list, failing_rows: list[str]
):
    assert validate(frame_of(good), suite_of(expectation)).success

    result = validate(frame_of(bad), suite_of(expectation))

    assert not result.success
    assert [example["id"] for example in result.rows[0].examples] == failing_rows
    assert result.rows[0].unexpected_count == len(failing_rows)


def test_pair_of_columns_is_compared_where_both_have_a_value():
    frame = frame_of([True, True, None], y=[True, False, True])
    (row,) = validate(frame, suite_of(equal("x", "y", "", show=("y",)))).rows

    assert row.examples == ({"id": "row 1", "x": True, "y": False},)
    assert row.column == "x, y"
    assert row.unexpected_percent == 50


def test_combination_of_columns_is_compared_as_a_whole():
    good = frame_of([1, 1], y=["a", "b"])
    bad = frame_of([1, 1, 2], y=["a", "a", "a"])
    suite = suite_of(unique_together(("x", "y"), ""))

    assert validate(good, suite).success
    assert [shown["id"] for shown in validate(bad, suite).rows[0].examples] == ["row 0", "row 1"]


def test_expectation_about_the_table_shows_what_was_observed():
    (row,) = validate(frame_of([]), suite_of(has_rows(""))).rows

    assert not row.success
    assert row.column is None
    assert row.examples == ({"observed": 0},)


def test_missing_column_fails_and_says_so():
    result = validate(frame_of([1]), suite_of(not_null("nowhere", "")))

    assert not result.success
    assert "nowhere" in (result.rows[0].exception or "")
    assert "does not exist" in result.markdown()


def test_values_that_cannot_be_compared_fail_instead_of_raising():
    result = validate(frame_of(["text"]), suite_of(between("x", "", min_value=0)))

    assert not result.success
    assert result.rows[0].exception


def test_warning_is_shown_but_does_not_fail_the_suite():
    warning = Expectation(
        "expect_column_values_to_not_be_null", {"column": "x"}, "warning", "nicer with it"
    )
    result = validate(frame_of(["a", None]), suite_of(warning))

    assert result.success
    assert [row.severity for row in result.failures] == ["warning"]
    assert "⚠️" in result.markdown()
    assert "row 1" in result.markdown()


def test_results_keep_the_order_of_suites_and_expectations():
    audits = [
        (frame_of([2]), suite_of(between("x", "", min_value=1), not_null("id", ""), has_rows(""))),
        (frame_of([None]), suite_of(not_null("x", ""))),
    ]
    first, second = validate_suites(audits)

    assert [row.column for row in first.rows] == ["x", "id", None]
    assert (first.success, second.success) == (True, False)


def test_same_expectation_twice_gives_two_results():
    suite = suite_of(between("x", "a", min_value=0), between("x", "b", min_value=0))

    assert [row.why for row in validate(frame_of([1]), suite).rows] == ["a", "b"]


def test_unknown_expectation_is_refused_by_name():
    suite = suite_of(Expectation("expect_wonders", {}, "error", ""))

    with pytest.raises(QualityError, match=r"numbers.*expect_wonders"):
        validate(frame_of([1]), suite)


def test_only_the_first_failing_rows_are_kept():
    (row,) = validate(frame_of([9] * 1000), suite_of(between("x", "", max_value=1))).rows

    assert row.unexpected_count == 1000
    assert len(row.examples) == MAX_EXAMPLES


def test_columns_of_lists_are_left_alone():
    assert validate(frame_of([1], y=[["a", "b"]]), suite_of(not_null("x", ""))).success


class TestMarkdown:
    def test_failures_come_first_with_their_values_and_reason(self):
        suite = suite_of(not_null("id", ""), between("x", "a share", max_value=1))
        lines = validate(frame_of([0.5, 1.2]), suite).markdown().splitlines()

        assert lines[0] == "Numbers are as they should be."
        assert lines[4] == (
            "| ❌ | column values to be between (max\\_value=1) | x | 1 (50 %) "
            "| id = 'row 1', x = 1.2 | a share |"
        )
        assert lines[5].startswith("| ✅ |")

    def test_values_cannot_break_the_table_or_add_markup(self):
        value = "a|b\n<script>alert(1)</script> `c` **d** [e](f) \\"
        markdown = validate(frame_of([value]), suite_of(in_set("x", ["a"], ""))).markdown()
        row = markdown.splitlines()[4]

        assert len(markdown.splitlines()) == 5
        assert "\\<script\\>" in row
        assert "a\\|b" in row
        assert "\\*\\*d\\*\\* \\[e\\](f)" in row

    def test_long_values_are_cut(self):
        markdown = validate(frame_of(["y" * 500]), suite_of(in_set("x", ["a"], ""))).markdown()

        assert "y" * 78 + "…" in markdown
        assert "y" * 80 not in markdown

    def test_null_and_empty_text_look_different(self):
        nulls = validate(frame_of(["a", None]), suite_of(not_null("x", ""))).markdown()
        empty = validate(frame_of(["a", ""]), suite_of(matches("x", r"\S", ""))).markdown()

        assert "x = null" in nulls
        assert "x = ''" in empty
