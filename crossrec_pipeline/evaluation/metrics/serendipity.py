"""Serendipity@K across domains: which share of the hits is of another type than the last item."""

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.metrics.relevant import mean_or_nan


def per_prediction(ranks: pl.DataFrame, k: int) -> np.ndarray:
    r"""Return 1 for a hit of another type than the last seen item, 0 for one of its own, [P].

    .. math:: \mathrm{Serendipity@}K =
        \frac{|\{p: r_p \le K,\, t_p \ne s_p\}|}{|\{p: r_p \le K\}|}

    NaN for a prediction that is no hit: what was not found surprises nobody. Range of the mean 0 to
    1. To be compared with the share of predictions whose type changes, which a model that finds
    both kinds equally well reaches.

    Parameters
    ----------
    ranks
        Columns `source_type`, `target_type` and `rank` of `RANKS`.
    k
        Cut-off.

    Returns
    -------
    float64 [P]
    """
    crosses = (ranks["source_type"] != ranks["target_type"]).to_numpy()
    return np.where(ranks["rank"].to_numpy() <= k, crosses.astype(np.float64), np.nan)


def calc(ranks: pl.DataFrame, k: int) -> float:
    """Return the mean over hits; NaN when there are none."""
    values = per_prediction(ranks, k)
    return mean_or_nan(values[~np.isnan(values)])
