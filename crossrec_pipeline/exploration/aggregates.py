"""Typed catalogue columns go in; the few rows that a chart shows come out."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
import polars.selectors as cs

from crossrec_pipeline.errors import CrossrecError

_SEED = 1_009
_MIN_PAIRS = 3


class NoDataError(CrossrecError):
    """There is nothing to draw; the message says why."""


def require_data(frame: pl.DataFrame, *columns: str) -> None:
    """Check that columns are there and hold something.

    Raises
    ------
    NoDataError
        Naming the first column that is missing or holds nulls only.
    """
    for column in columns:
        if column not in frame.columns or frame[column].null_count() == frame.height:
            raise NoDataError(f"No data: the source has no column {column}, or nothing in it.")


def works(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Keep the first row of every work: rows equal in `key` are one work."""
    return frame.unique(list(key), keep="first", maintain_order=True)


def top_counts(frame: pl.DataFrame, column: str, key: Sequence[str], n: int) -> pl.DataFrame:
    """Count the works that have each value of a column of text or lists.

    Returns
    -------
    polars.DataFrame
        `value` and `works`: the `n` most frequent, equal ones by name.
    """
    rows = frame.with_row_index("_row").select(
        pl.col("_row").min().over(list(key)).alias("work"), pl.col(column).alias("value")
    )
    if isinstance(rows.schema["value"], pl.List):
        rows = rows.explode("value")
    return (
        rows.drop_nulls()
        .unique()
        .group_by("value")
        .agg(pl.len().alias("works"))
        .sort("works", "value", descending=[True, False])
        .head(n)
    )


def histogram(values: pl.Series, max_bins: int = 40) -> pl.DataFrame:
    """Count numbers in bins of one round width (1, 2 or 5 times a power of ten).

    Bins hold their lower end, the last one its upper end as well. Whole numbers get bins of whole
    width; in bins of width 1 every number has its own.

    Returns
    -------
    polars.DataFrame
        `start`, `end` and `count` of every bin between the lowest and the highest number, empty
        ones as well.
    """
    numbers = values.drop_nulls().cast(pl.Float64).to_numpy()
    low, high = float(numbers.min()), float(numbers.max())
    width = _round_width((high - low) / max_bins or 1.0)
    whole = bool(np.all(numbers == np.floor(numbers)))
    if whole:
        width = max(width, 1.0)
    # 4.3 / 0.1 is 42.99999999999999 in binary.
    bins = np.floor(numbers / width + 1e-9).astype(np.int64)
    first, last = int(bins.min()), int(bins.max())
    single_values = whole and width == 1.0
    if last > first and abs(high / width - last) < 1e-9 and not single_values:
        bins = np.minimum(bins, last - 1)
    counts = np.bincount(bins - first)
    starts = np.arange(first, first + len(counts))
    return pl.DataFrame(
        {
            "start": np.round(starts * width, 10),
            "end": np.round((starts + 1) * width, 10),
            "count": counts,
        }
    )


def works_by_year(frame: pl.DataFrame, column: str, key: Sequence[str]) -> pl.DataFrame:
    """Count works by the year of a date: `year` and `works`, years without works left out."""
    return (
        works(frame.drop_nulls(column), key)
        .select(pl.col(column).dt.year().alias("year"))
        .group_by("year")
        .agg(pl.len().alias("works"))
        .sort("year")
    )


def numeric_columns(frame: pl.DataFrame, leave_out: Sequence[str] = ()) -> list[str]:
    """Name the number columns that hold at least two different numbers."""
    return [
        name
        for name in frame.select(cs.numeric()).columns
        if name not in leave_out and frame[name].drop_nulls().n_unique() > 1
    ]


def rank_correlations(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Correlate every two columns by Spearman's rank correlation, over rows that have both.

    Ranks, since budgets, revenues and rating counts span many orders of magnitude (Spearman,
    "The proof and measurement of association between two things", 1904).

    Returns
    -------
    polars.DataFrame
        `x`, `y` and `correlation`, all ordered pairs; null where a column does not vary or fewer
        than three rows have both.
    """
    values: dict[tuple[str, str], float | None] = {}
    for i, x in enumerate(columns):
        for y in columns[i:]:
            pairs = frame.select(pl.col(x).alias("x"), pl.col(y).alias("y")).drop_nulls()
            value: float | None = pairs.select(pl.corr("x", "y", method="spearman")).item()
            if pairs.height < _MIN_PAIRS or value is None or not math.isfinite(value):
                value = None
            values[x, y] = values[y, x] = value
    pairs = [(x, y, values[x, y]) for x in columns for y in columns]
    schema = {"x": pl.String, "y": pl.String, "correlation": pl.Float64}
    return pl.DataFrame(pairs, schema=schema, orient="row")


def sample(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    """Draw at most `n` rows: of equal frames the same ones, in their order."""
    if frame.height <= n:
        return frame
    rows = np.random.default_rng(_SEED).choice(frame.height, size=n, replace=False)
    return frame[np.sort(rows)]


def _round_width(width: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is no less than `width`."""
    magnitude = 10.0 ** math.floor(math.log10(width))
    return next(step * magnitude for step in (1, 2, 5, 10) if step * magnitude >= width)
