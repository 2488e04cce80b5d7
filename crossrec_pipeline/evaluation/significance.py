"""Ranks of several models on the same predictions go in, their paired differences come out.

Two tests of each difference, both with the session as the unit that is drawn:

- The paired bootstrap: the sessions of a resample are the same for both models. Its p-value is the
  two-sided share of resamples whose difference has the other sign or is zero, one being added to
  numerator and denominator (Davison and Hinkley, 1997, section 4.4). It tests the mean over
  predictions, which is what is reported, and is the one that Holm's adjustment takes.
- Wilcoxon's signed-rank test of the sessions' mean values (Wilcoxon, 1945; sessions without a
  difference are left out). It asks whether one model is ahead in a typical session, in which a long
  session weighs as much as a short one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.bootstrap import (
    interval,
    resampled_sums,
    session_numbers,
    session_sums,
)
from crossrec_pipeline.evaluation.holm import holm
from crossrec_pipeline.evaluation.layouts import SliceName, TargetLayout
from crossrec_pipeline.evaluation.measures import HEADLINE, headline_measures

LEVEL = 0.05
"""Differences are significant whose adjusted p-value is below it."""

COMPARISONS: dict[str, pl.DataType] = {
    "metric": pl.String(),
    "k": pl.Int32(),
    "slice": pl.String(),
    "target_type": pl.String(),
    "model": pl.String(),
    "other": pl.String(),
    "difference": pl.Float64(),
    "standard_error": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p_bootstrap": pl.Float64(),
    "p_wilcoxon": pl.Float64(),
    "p_holm": pl.Float64(),
    "significant": pl.Boolean(),
}
"""One row a measure of `HEADLINE`, slice (`overall` or `target_type`) and pair of models.

`difference` is the mean of `model` minus that of `other`; `low` and `high` bound its 95 % paired
interval. `p_holm` is `p_bootstrap` adjusted over the family: all pairs of one measure and slice.
Without predictions everything is null; with those of one session, everything but the difference."""

_Pair = tuple[int, int]

_DIGITS = 12
"""Values are at most 1: sums of the same numbers in another order are equal to so many decimals."""


def compare_all(
    ranks: Mapping[str, pl.DataFrame],
    item_types: Sequence[str],
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pl.DataFrame:
    """Compare every two models; each pair comes once, in the order given.

    Parameters
    ----------
    ranks
        Columns of `RANKS` by model, all of the same predictions.
    item_types
        All types, so that a type without predictions has its (null) rows as well.
    n_resamples, seed
        Of the bootstrap over sessions. The smallest p-value is 2 / (n_resamples + 1), which has to
        stay below 0.05 after the adjustment for all pairs.

    Returns
    -------
    pl.DataFrame
        Columns of `COMPARISONS`.

    Raises
    ------
    EvaluationError
        If the models were not ranked on the same predictions, the ranks hold another type, or there
        are too few resamples for any difference to be significant.
    """
    pairs = list(combinations(range(len(ranks)), 2))
    return _compare(ranks, item_types, pairs, n_resamples, seed)


def compare_with(
    reference: str,
    ranks: Mapping[str, pl.DataFrame],
    item_types: Sequence[str],
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pl.DataFrame:
    """Compare every other model with one, which is `other` in the result.

    The family of Holm's adjustment is these pairs alone. Parameters and errors are otherwise those
    of `compare_all`; a reference that was not ranked is an error too.
    """
    models = list(ranks)
    if reference not in ranks:
        raise EvaluationError(
            f"There are no ranks of {reference!r} to compare with, only of "
            f"{', '.join(models) or 'none'}. Rank it, or name another model."
        )
    at = models.index(reference)
    pairs = [(model, at) for model in range(len(models)) if model != at]
    return _compare(ranks, item_types, pairs, n_resamples, seed)


def resamples_for(n_models: int) -> int:
    """Return how many resamples `compare_all` of so many models takes: 10,000, more for many."""
    return max(10_000, _resamples_needed(n_models * (n_models - 1) // 2))


def check_same_predictions(ranks: Mapping[str, pl.DataFrame]) -> None:
    """See to it that all ranks are of the same predictions, row by row.

    Raises
    ------
    EvaluationError
        If session, position or target differ somewhere.
    """
    keys = ["session", "position", "target_index"]
    (first, expected), *others = ((name, frame.select(keys)) for name, frame in ranks.items())
    for name, frame in others:
        if not frame.equals(expected):
            raise EvaluationError(
                f"{name} was ranked on {frame.height:,} predictions and {first} on "
                f"{expected.height:,}, and they are not the same ones (columns session, position "
                "and target_index). Rank all models on the same sessions."
            )


@dataclass(frozen=True)
class _Resampled:
    """What every pair is compared by.

    Attributes
    ----------
    names
        The slices, N.
    means
        Of each model, measure and slice, float64 [models, M, N].
    resamples
        The same in each resample, float64 [R, models, M, N].
    session_means
        The same in each session, NaN without predictions, float64 [S, models, M, N].
    """

    names: Sequence[SliceName]
    means: np.ndarray
    resamples: np.ndarray
    session_means: np.ndarray


def _compare(
    ranks: Mapping[str, pl.DataFrame],
    item_types: Sequence[str],
    pairs: Sequence[_Pair],
    n_resamples: int,
    seed: int,
) -> pl.DataFrame:
    needed = _resamples_needed(len(pairs))
    if n_resamples < needed:
        raise EvaluationError(
            f"{n_resamples:,} resamples cannot show any of {len(pairs)} differences to be "
            f"significant: the smallest p-value, 2 / {n_resamples + 1:,}, is too large after the "
            f"adjustment for all of them. Take at least {needed:,} resamples, or fewer models."
        )
    if not pairs:
        return pl.DataFrame(schema=pl.Schema(COMPARISONS))
    check_same_predictions(ranks)
    resampled = _resample(list(ranks.values()), item_types, n_resamples, seed)
    models = list(ranks)
    rows = [
        (metric, k, name.slice, name.target_type, models[model], models[other], *figures)
        for column, (metric, k) in enumerate(HEADLINE)
        for at, name in enumerate(resampled.names)
        for (model, other), figures in zip(
            pairs, _family(resampled, column, at, pairs), strict=True
        )
    ]
    return pl.DataFrame(rows, schema=pl.Schema(COMPARISONS), orient="row")


def _resamples_needed(n_pairs: int) -> int:
    return n_pairs * round(2 / LEVEL)


def _resample(
    frames: Sequence[pl.DataFrame], item_types: Sequence[str], n_resamples: int, seed: int
) -> _Resampled:
    layout = TargetLayout(frames[0], item_types)
    values = [measure.values for frame in frames for measure in headline_measures(frame)]
    number = session_numbers(frames[0]["session"].to_numpy())
    by_session = session_sums(number, layout.cell, layout.n_cells, values)
    resampled = resampled_sums(by_session, n_resamples, seed)

    def means(sums: np.ndarray) -> np.ndarray:
        of_values = layout.means(sums[..., 1:, :], sums[..., :1, :])
        return of_values.reshape(*sums.shape[:-2], len(frames), len(HEADLINE), len(layout.names))

    return _Resampled(
        layout.names, means(by_session.sum(axis=0)), means(resampled), means(by_session)
    )


def _family(resampled: _Resampled, column: int, at: int, pairs: Sequence[_Pair]) -> Iterator[tuple]:
    """Yield what `COMPARISONS` has from `difference` on, for each pair in one measure and slice."""
    means = resampled.means[:, column, at]
    by_session = resampled.session_means[:, :, column, at]
    by_session = by_session[~np.isnan(by_session).any(axis=1)]
    if len(by_session) < 2:
        for model, other in pairs:
            difference = float(means[model] - means[other])
            yield None if np.isnan(difference) else difference, *[None] * 7
        return
    resamples = np.ascontiguousarray(resampled.resamples[:, :, column, at].T)
    differences = [resamples[model] - resamples[other] for model, other in pairs]
    p_bootstrap = np.array([bootstrap_p_value(difference) for difference in differences])
    for (model, other), difference, p, adjusted in zip(
        pairs, differences, p_bootstrap.tolist(), holm(p_bootstrap).tolist(), strict=True
    ):
        found = interval(difference)
        yield (
            float(means[model] - means[other]),
            found.standard_error,
            found.low,
            found.high,
            p,
            wilcoxon_p_value(by_session[:, model] - by_session[:, other]),
            adjusted,
            adjusted < LEVEL,
        )


def bootstrap_p_value(differences: np.ndarray) -> float:
    r"""Return the two-sided p-value of a difference from its resamples.

    .. math:: p = \min\left(1, 2\, \frac{1 + \min(|\{d^* \le 0\}|, |\{d^* \ge 0\}|)}{R + 1}\right)

    Never 0: with R resamples at least 2 / (R + 1). 1 where all differences are zero.

    Parameters
    ----------
    differences
        One a resample, float64 [R]; NaN, where a resample holds nothing of the slice, is left out.
    """
    measured = np.round(differences[~np.isnan(differences)], _DIGITS)
    smaller = min(int((measured <= 0).sum()), int((measured >= 0).sum()))
    return min(1.0, 2 * (1 + smaller) / (len(measured) + 1))


def wilcoxon_p_value(differences: np.ndarray) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; 1 without any difference.

    Exact for up to 50 sessions whose differences are of different sizes, else by the normal
    approximation, corrected for ties.

    Parameters
    ----------
    differences
        One a session, float64 [S]; zeros are left out.
    """
    from scipy.stats import wilcoxon  # takes half a second to import

    rounded = np.round(differences, _DIGITS)
    different = rounded[rounded != 0]
    if not len(different):
        return 1.0
    has_ties = len(np.unique(np.abs(different))) < len(different)
    # Left to choose, scipy goes through all signs where a few differences tie: a tenth of a second.
    result: Any = wilcoxon(different, method="asymptotic" if has_ties else "auto")
    return float(result.pvalue)
