"""Ranks of one model trained from several seeds go in; what the seed changes comes out."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.intervals import intervals
from crossrec_pipeline.evaluation.layouts import TargetLayout
from crossrec_pipeline.evaluation.measures import HEADLINE, Measure, headline_measures
from crossrec_pipeline.evaluation.significance import check_same_predictions

SEED_SPREAD: dict[str, pl.DataType] = {
    "metric": pl.String(),
    "k": pl.Int32(),
    "slice": pl.String(),
    "target_type": pl.String(),
    "mean": pl.Float64(),
    "standard_deviation": pl.Float64(),
    "n_seeds": pl.Int64(),
    "standard_error": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}
"""One row a measure of `HEADLINE` and slice (`overall` or `target_type`).

`mean` and `standard_deviation` are over training seeds (n - 1 in the denominator; null of one
seed). `standard_error`, `low` and `high` are of the mean over seeds, from a bootstrap over test
sessions: the one says how far another training would come out, the other how far other sessions
would. Without predictions all of them are null."""

_KEYS = ("metric", "k", "slice", "target_type")
_OVER_SEEDS = ("mean", "standard_deviation", "n_seeds")
_OVER_SESSIONS = ("standard_error", "low", "high")


def seed_spread(
    ranks: Mapping[int, pl.DataFrame],
    item_types: Sequence[str],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Average the headline over training seeds.

    Parameters
    ----------
    ranks
        Columns of `RANKS` by training seed, all of the same predictions.
    item_types
        All types, so that a type without predictions has its (null) rows as well.
    n_resamples, seed
        Of the bootstrap over sessions.

    Returns
    -------
    pl.DataFrame
        Columns of `SEED_SPREAD`.

    Raises
    ------
    EvaluationError
        If there are no ranks, they are not of the same predictions, or they hold another type.
    """
    if not ranks:
        raise EvaluationError("There are no ranks to average over seeds. Train with one at least.")
    check_same_predictions({f"seed {number}": frame for number, frame in ranks.items()})
    frames = list(ranks.values())
    layout = TargetLayout(frames[0], item_types)
    counts = np.bincount(layout.cell, minlength=layout.n_cells)
    by_seed = [list(headline_measures(frame)) for frame in frames]
    rows, averaged = [], []
    for column, (metric, k) in enumerate(HEADLINE):
        values = np.array([measures[column].values for measures in by_seed])
        averaged.append(Measure("next", metric, k, values.mean(axis=0)))
        sums = np.array([np.bincount(layout.cell, of_one, layout.n_cells) for of_one in values])
        means = layout.means(sums, counts)
        spread = means.std(axis=0, ddof=1) if len(frames) > 1 else np.full(means.shape[1], np.nan)
        rows.extend(
            (metric, k, name.slice, name.target_type, mean, deviation, len(frames))
            for name, mean, deviation in zip(
                layout.names, means.mean(axis=0).tolist(), spread.tolist(), strict=True
            )
        )
    bounds = intervals(
        frames[0]["session"].to_numpy(), [layout], averaged, n_resamples=n_resamples, seed=seed
    )
    over_seeds = {name: SEED_SPREAD[name] for name in (*_KEYS, *_OVER_SEEDS)}
    means = pl.DataFrame(rows, schema=pl.Schema(over_seeds), orient="row")
    return means.with_columns(pl.col("mean", "standard_deviation").fill_nan(None)).join(
        bounds.select(*_KEYS, *_OVER_SESSIONS),
        on=_KEYS,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
