"""Ranks of a control and of what it is compared with go in; their paired difference comes out."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation import chance
from crossrec_pipeline.evaluation.bootstrap import (
    interval,
    resampled_sums,
    session_numbers,
    session_sums,
)
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.metrics import METRICS, Relevant

COMPARED: dict[str, pl.DataType] = {
    "target_type": pl.String(),
    "metric": pl.String(),
    "k": pl.Int32(),
    "value": pl.Float64(),
    "reference": pl.String(),
    "reference_value": pl.Float64(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n": pl.Int64(),
}
"""One row a slice and metric (`recall`, `mrr`) of the next item.

`target_type` is null overall, and `AFTER_ANOTHER_TYPE` for predictions that change the type.
`difference` is `value` minus `reference_value`; `low` and `high` bound its 95 % interval, paired
where the reference is a model. `n` counts predictions; without any all figures are null, with those
of one session `low` and `high`."""

AFTER_ANOTHER_TYPE = "after another type"

_METRICS = ("recall", "mrr")
_N_RESAMPLES = 1_000
_SEED = 0

Values = Mapping[str, np.ndarray]
"""One value a prediction, float64 [P], by metric."""

Slices = Mapping[str | None, np.ndarray]
"""Which predictions a slice holds, bool [P], by its name in `target_type`."""


def next_item_values(ranks: np.ndarray) -> Values:
    """Return Recall@20 and MRR@20 of each prediction, by the rank of its target, int [P]."""
    relevant = Relevant(ranks, np.arange(len(ranks) + 1))
    return {metric: METRICS[metric](relevant, HEADLINE_CUTOFF) for metric in _METRICS}


def chance_values(n_predictions: int, n_items: int) -> Values:
    """Return the exact expectation of the same under a random order of all items."""
    one_relevant = np.ones(n_predictions, dtype=np.int64)
    return {
        metric: chance.EXPECTED[metric](one_relevant, n_items, HEADLINE_CUTOFF)
        for metric in _METRICS
    }


def overall(n_predictions: int) -> Slices:
    """Take all predictions as one slice."""
    return {None: np.ones(n_predictions, dtype=bool)}


def by_target_type(ranks: pl.DataFrame) -> Slices:
    """Take the predictions of each target type that has some (a RANKS frame)."""
    target = ranks["target_type"]
    return {name: (target == name).to_numpy() for name in target.unique().sort()}


def after_another_type(ranks: pl.DataFrame) -> Slices:
    """Take the predictions whose last seen item is of another type (a RANKS frame)."""
    return {AFTER_ANOTHER_TYPE: (ranks["source_type"] != ranks["target_type"]).to_numpy()}


def compare(
    values: Values,
    reference: str,
    reference_values: Values,
    session: np.ndarray,
    slices: Slices,
) -> pl.DataFrame:
    """Bootstrap the differences over sessions.

    Parameters
    ----------
    values, reference_values
        Of the same predictions.
    reference
        Name of what is compared with.
    session
        Session of each prediction, int [P].
    slices
        Which predictions to take the means of.

    Returns
    -------
    pl.DataFrame
        Columns of `COMPARED`, slice after slice.
    """
    rows = []
    for name, chosen in slices.items():
        of_slice = [(values[metric][chosen], reference_values[metric][chosen]) for metric in values]
        resampled = _resampled_means([a - b for a, b in of_slice], session[chosen])
        for column, (metric, (ours, theirs)) in enumerate(zip(values, of_slice, strict=True)):
            found = interval(resampled[:, column])
            value, reference_value = _mean(ours), _mean(theirs)
            difference = value - reference_value
            figures = (value, reference, reference_value, difference, found.low, found.high)
            rows.append((name, metric, HEADLINE_CUTOFF, *figures, len(ours)))
    return pl.DataFrame(rows, schema=pl.Schema(COMPARED), orient="row").fill_nan(None)


def _resampled_means(values: list[np.ndarray], session: np.ndarray) -> np.ndarray:
    """Take the means of sessions drawn with replacement, [R, M]; none of fewer than two."""
    number = session_numbers(session)
    sums = session_sums(number, np.zeros_like(number), 1, values)[:, :, 0]
    if len(sums) < 2:
        return np.empty((0, len(values)))
    resampled = resampled_sums(sums, _N_RESAMPLES, _SEED)
    return resampled[:, 1:] / resampled[:, :1]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
