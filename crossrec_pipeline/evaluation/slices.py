"""One model's ranks go in, its metrics come out: overall, by types, and by context."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.contexts import GROUPS, check_contexts
from crossrec_pipeline.evaluation.intervals import INTERVALS, intervals
from crossrec_pipeline.evaluation.layouts import GroupLayout, Layout, TypeLayout
from crossrec_pipeline.evaluation.measures import (
    CUTOFFS,
    HEADLINE,
    Measure,
    all_measures,
    bounded_measures,
    chance_measures,
    headline_measures,
)
from crossrec_pipeline.models.registry import KINDS
from crossrec_pipeline.sessions.vocabulary import Vocabulary

SLICED_METRICS: dict[str, pl.DataType] = {
    "model": pl.String(),
    "slice": pl.String(),
    "source_type": pl.String(),
    "target_type": pl.String(),
    "group": pl.String(),
    "relevance": pl.String(),
    "metric": pl.String(),
    "k": pl.Int32(),
    "value": pl.Float64(),
    "n": pl.Int64(),
    "standard_error": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}
"""Long form: one row a model, slice, relevance, metric and cut-off.

`slice` is `overall`, `target_type`, `transition` (both types set), `macro` (the mean over the
target types that have predictions), or a context of `GROUPS` (`group` set). `relevance` is `next`
(the next item alone) or `rest` (all distinct items still to come in the session). `n` counts
predictions; without any, `value` is null. `low` and `high` bound the 95 % interval where one was
made.
"""

CHANCE = "chance"
ORACLE = "oracle"
_PLACED = {CHANCE, *KINDS, ORACLE}
_BOUNDS = ("standard_error", "low", "high")


def evaluate(
    model: str,
    ranks: pl.DataFrame,
    item_types: Sequence[str],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Compute all metrics of one model: overall, by type, by transition, and the macro average.

    Parameters
    ----------
    model
        The model's name in the result.
    ranks
        Columns of `RANKS`.
    item_types
        All types, so that a type or transition without predictions has its (null) rows as well.
    n_resamples, seed
        Of the bootstrap over sessions, which gives the measures of `BOUNDED` their intervals.

    Returns
    -------
    pl.DataFrame
        Columns of `SLICED_METRICS`.

    Raises
    ------
    EvaluationError
        If the ranks hold a type that `item_types` does not name.
    """
    layout = TypeLayout(ranks, item_types)
    found = intervals(
        ranks["session"].to_numpy(),
        [layout],
        bounded_measures(ranks),
        n_resamples=n_resamples,
        seed=seed,
    )
    return _with_intervals(_means(model, [layout], all_measures(ranks)), found)


def evaluate_contexts(
    model: str,
    ranks: pl.DataFrame,
    contexts: pl.DataFrame,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Compute the measures of `HEADLINE` of one model by each context of `GROUPS`.

    Parameters
    ----------
    model
        The model's name in the result.
    ranks
        Columns of `RANKS`.
    contexts
        Columns of `CONTEXTS`, of the same predictions.
    n_resamples, seed
        Of the bootstrap over sessions.

    Returns
    -------
    pl.DataFrame
        Columns of `SLICED_METRICS`; a group without predictions has its (null) rows as well.

    Raises
    ------
    EvaluationError
        If the contexts are of other predictions than the ranks.
    """
    check_contexts(contexts, ranks)
    layouts = [GroupLayout(contexts, slice_) for slice_ in GROUPS]
    found = intervals(
        ranks["session"].to_numpy(),
        layouts,
        headline_measures(ranks),
        n_resamples=n_resamples,
        seed=seed,
    )
    return _with_intervals(_means(model, layouts, headline_measures(ranks)), found)


def evaluate_chance(ranks: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    """Compute the exact expectation of `evaluate` under a random order, as model `chance`.

    Parameters
    ----------
    ranks
        The ranks of any model: only what was to be predicted is read, not how it was ranked.
    vocabulary
        The items that are ranked.

    Returns
    -------
    pl.DataFrame
        Columns of `SLICED_METRICS`.
    """
    layout = TypeLayout(ranks, vocabulary.types)
    return _without_intervals(_means(CHANCE, [layout], chance_measures(ranks, vocabulary)))


def evaluate_chance_contexts(
    ranks: pl.DataFrame, contexts: pl.DataFrame, vocabulary: Vocabulary
) -> pl.DataFrame:
    """Compute the exact expectation of `evaluate_contexts`, as model `chance`.

    Parameters and errors are those of `evaluate_chance` and `evaluate_contexts`.
    """
    check_contexts(contexts, ranks)
    layouts = [GroupLayout(contexts, slice_) for slice_ in GROUPS]
    headline = (
        measure
        for measure in chance_measures(ranks, vocabulary)
        if measure.relevance == "next" and (measure.metric, measure.k) in HEADLINE
    )
    return _without_intervals(_means(CHANCE, layouts, headline))


def model_order(models: Iterable[str]) -> list[str]:
    """Return the distinct models as they are listed.

    Chance first and the oracle last; between them the kinds of the registry in its order, then
    any others in the order given.
    """
    given = list(dict.fromkeys(models))
    order = [CHANCE, *KINDS, *(model for model in given if model not in _PLACED), ORACLE]
    return [model for model in order if model in given]


def _means(model: str, layouts: Sequence[Layout], measures: Iterable[Measure]) -> pl.DataFrame:
    cell_counts = [np.bincount(layout.cell, minlength=layout.n_cells) for layout in layouts]
    rows = []
    for measure in measures:
        for layout, in_cells in zip(layouts, cell_counts, strict=True):
            sums = np.bincount(layout.cell, weights=measure.values, minlength=layout.n_cells)
            means, counts = layout.means(sums, in_cells), layout.counts(in_cells)
            rows.extend(
                (model, *name, measure.relevance, measure.metric, measure.k, value, n)
                for name, value, n in zip(
                    layout.names, means.tolist(), counts.tolist(), strict=True
                )
                # The curve's further cut-offs are for the overall figure.
                if name.slice == "overall" or measure.k in CUTOFFS
            )
    columns = {name: SLICED_METRICS[name] for name in SLICED_METRICS if name not in _BOUNDS}
    return pl.DataFrame(rows, schema=pl.Schema(columns), orient="row").with_columns(
        pl.col("value").fill_nan(None)
    )


def _with_intervals(means: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    keys = [name for name in INTERVALS if name not in _BOUNDS]
    return means.join(found, on=keys, how="left", nulls_equal=True, maintain_order="left")


def _without_intervals(means: pl.DataFrame) -> pl.DataFrame:
    return means.with_columns(pl.lit(None, SLICED_METRICS[name]).alias(name) for name in _BOUNDS)
