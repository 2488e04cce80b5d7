import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.exploration.aggregates import (
    NoDataError,
    histogram,
    numeric_columns,
    rank_correlations,
    require_data,
    sample,
    top_counts,
)

finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


def bins(values: list[float], max_bins: int = 40) -> list[tuple[float, float, int]]:
    return histogram(pl.Series(values), max_bins).rows()


def test_missing_and_empty_columns_are_named():
    frame = pl.DataFrame({"crew": [None, None], "score": [1.0, None]}, schema_overrides={})
    require_data(frame, "score")
    with pytest.raises(NoDataError, match="no column crew"):
        require_data(frame, "score", "crew")
    with pytest.raises(NoDataError, match="no column budget"):
        require_data(frame, "budget")


def test_a_work_in_several_rows_counts_once_a_value():
    tracks = pl.DataFrame(
        {
            "id": ["a", "a", "b", "c"],
            "genre": [["pop"], ["pop", "rock"], ["rock", "rock"], None],
        }
    )
    # a is pop and rock, b is rock; rows would give pop 2 and rock 3.
    assert top_counts(tracks, "genre", ["id"], 5).rows() == [("rock", 2), ("pop", 1)]


def test_equally_frequent_values_are_in_order_of_name_and_cut_at_n():
    books = pl.DataFrame({"id": [1, 2, 3, 4], "author": ["d", "c", "b", "b"]})
    assert top_counts(books, "author", ["id"], 2).rows() == [("b", 2), ("c", 1)]


def test_values_are_counted_by_work_even_where_they_are_part_of_its_key():
    books = pl.DataFrame(
        {"title": ["x", "x", "x"], "author": [["A", "B"], ["A", "B"], ["A"]]},
    )
    # Two works named x: one of A and B (twice), one of A.
    counted = top_counts(books, "author", ["title", "author"], 5).rows()
    assert counted == [("A", 2), ("B", 1)]


def test_whole_numbers_over_a_small_range_have_a_bin_each():
    assert bins([1, 2, 2, 4]) == [(1, 2, 1), (2, 3, 2), (3, 4, 0), (4, 5, 1)]


def test_the_highest_number_on_an_edge_is_in_the_last_bin():
    assert bins([0, 50, 100], max_bins=2) == [(0, 50, 1), (50, 100, 2)]


def test_decimal_numbers_fall_into_the_bin_that_they_open():
    # 4.3 / 0.1 is 42.99999999999999 in binary.
    assert bins([4.1, 4.3, 4.35], max_bins=4) == [(4.1, 4.2, 1), (4.2, 4.3, 0), (4.3, 4.4, 2)]


def test_equal_numbers_make_one_bin():
    assert bins([3.5, 3.5]) == [(3.0, 4.0, 2)]


@given(st.lists(finite, min_size=1, max_size=60), st.integers(1, 60))
def test_bins_join_hold_every_number_and_are_few(values: list[float], max_bins: int):
    table = histogram(pl.Series(values), max_bins)
    assert table["count"].sum() == len(values)
    assert table["start"].to_list()[1:] == table["end"].to_list()[:-1]
    assert table["start"][0] <= min(values) + 1e-6
    assert table["end"][-1] >= max(values) - 1e-6
    assert table.height <= max_bins + 2  # one more at each end, where edges do not fit the range


def test_text_constants_and_what_is_left_out_are_no_numeric_columns():
    frame = pl.DataFrame(
        {
            "id": [8, 9],
            "name": ["a", "b"],
            "explicit": [True, False],
            "same": [1.0, 1.0],
            "tempo": [100.0, 120.0],
        }
    )
    assert numeric_columns(frame, ["id"]) == ["tempo"]


def test_rank_correlation_by_hand():
    # Ranks of y are 1, 3, 2, 4: 1 - 6 · (0 + 1 + 1 + 0) / (4 · 15) = 0.8.
    frame = pl.DataFrame({"x": [1.0, 10.0, 100.0, 1000.0, None], "y": [1.0, 3.0, 2.0, 9.0, -5.0]})
    table = {(x, y): value for x, y, value in rank_correlations(frame, ["x", "y"]).rows()}
    assert table["x", "y"] == table["y", "x"] == pytest.approx(0.8)
    assert table["x", "x"] == table["y", "y"] == pytest.approx(1.0)


def test_two_pairs_and_constants_have_no_correlation():
    few = pl.DataFrame({"x": [1.0, 2.0, None], "y": [1.0, 2.0, 3.0]})
    assert rank_correlations(few, ["x", "y"]).filter((pl.col("x") == "x") & (pl.col("y") == "y"))[
        "correlation"
    ].to_list() == [None]
    constant = pl.DataFrame({"x": [1.0] * 5, "y": [1.0, 2.0, 3.0, 4.0, 5.0]})
    values = rank_correlations(constant, ["x", "y"])["correlation"].to_list()
    assert values[:3] == [None, None, None]
    assert math.isclose(values[3], 1.0)


def test_a_sample_is_the_same_each_time_and_keeps_the_order():
    frame = pl.DataFrame({"row": range(1_000)})
    drawn = sample(frame, 50)["row"].to_list()
    assert drawn == sample(frame, 50)["row"].to_list() == sorted(set(drawn))
    assert len(drawn) == 50
    assert sample(frame, 1_000).equals(frame)
