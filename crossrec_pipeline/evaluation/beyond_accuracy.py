"""A model's lists and ranks go in; what they say beyond accuracy comes out, one row a metric."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.metrics import (
    average_popularity,
    coverage,
    genre_diversity,
    gini,
    novelty,
    popularity_percentile,
    serendipity,
    type_diversity,
)
from crossrec_pipeline.evaluation.metrics.relevant import mean_or_nan
from crossrec_pipeline.evaluation.top_lists import TopLists
from crossrec_pipeline.sessions.vocabulary import Vocabulary

LIST_METRICS: dict[str, pl.DataType] = {
    "model": pl.String(),
    "metric": pl.String(),
    "k": pl.Int32(),
    "value": pl.Float64(),
    "n": pl.Int64(),
}
"""Long form: one row a model, metric and cut-off. `n` counts what the value is of: lists, or those
lists that have a value (diversity), or hits (serendipity); without any, `value` is null."""

LIST_CUTOFFS = (10, 20)

_Row = tuple[str, int, float, int]
"""Metric, K, value and n."""


def item_genres(vocabulary: Vocabulary, items: pl.DataFrame) -> list[list[str]]:
    """Return the genres of each item of the vocabulary, in its order.

    Parameters
    ----------
    vocabulary
        The items asked for.
    items
        The catalogue: columns `item_id` and `genres`.

    Raises
    ------
    EvaluationError
        If the catalogue lacks an item of the vocabulary.
    """
    found = vocabulary.frame.select("item_id").join(
        items.select("item_id", "genres").unique("item_id", keep="first"),
        on="item_id",
        how="left",
        maintain_order="left",
    )
    missing = found.filter(pl.col("genres").is_null())["item_id"].to_list()
    if missing:
        raise EvaluationError(
            f"The catalogue has no genres of {len(missing)} of {vocabulary.n_items} items of the "
            f"vocabulary, such as {missing[0]!r}. Evaluate with the catalogue that the sessions "
            "were built with."
        )
    return found["genres"].to_list()


def evaluate_lists(
    model: str,
    lists: TopLists,
    ranks: pl.DataFrame,
    vocabulary: Vocabulary,
    genres: Sequence[Sequence[str]],
) -> pl.DataFrame:
    """Compute all metrics of one model that ask what was shown, at `LIST_CUTOFFS`.

    Parameters
    ----------
    model
        The model's name in the result.
    lists
        Of at least the largest cut-off, or of all items.
    ranks
        Columns of `RANKS`, of all predictions: for serendipity.
    vocabulary
        The items that can be listed; types and train support are its.
    genres
        Genres of each item, by item index (see `item_genres`).

    Returns
    -------
    pl.DataFrame
        Columns of `LIST_METRICS`.

    Raises
    ------
    EvaluationError
        If the lists are shorter than the largest cut-off and than the vocabulary.
    """
    longest = max(LIST_CUTOFFS)
    if lists.items.shape[1] < min(longest, vocabulary.n_items):
        raise EvaluationError(
            f"The lists of {model} hold {lists.items.shape[1]} items each; metrics at {longest} "
            f"need {longest}. Make them with k={longest}."
        )
    words = genre_diversity.genre_words(genres)
    rows = [
        (model, *row)
        for k in LIST_CUTOFFS
        for row in (*_of_lists(lists.items[:, :k], k, vocabulary, words), _of_hits(ranks, k))
    ]
    return pl.DataFrame(rows, schema=pl.Schema(LIST_METRICS), orient="row").with_columns(
        pl.col("value").fill_nan(None)
    )


def _of_lists(
    items: np.ndarray, k: int, vocabulary: Vocabulary, words: np.ndarray
) -> Iterator[_Row]:
    yield "coverage", k, coverage.calc(items, vocabulary.n_items), len(items)
    yield "gini", k, gini.calc(items, vocabulary.n_items), len(items)
    by_prediction = {
        "average_popularity": average_popularity.per_prediction(items, vocabulary.support),
        "popularity_percentile": popularity_percentile.per_prediction(items, vocabulary.support),
        "novelty": novelty.per_prediction(items, vocabulary.support),
        "genre_diversity": genre_diversity.per_prediction(items, words),
        "type_diversity": type_diversity.per_prediction(items, vocabulary.type_codes),
    }
    for metric, values in by_prediction.items():
        yield metric, k, *_mean(values)


def _of_hits(ranks: pl.DataFrame, k: int) -> _Row:
    return "serendipity", k, *_mean(serendipity.per_prediction(ranks, k))


def _mean(values: np.ndarray) -> tuple[float, int]:
    measured = values[~np.isnan(values)]
    return mean_or_nan(measured), len(measured)
