"""Sums of each session go in; sums over sessions drawn with replacement, and intervals, come out.

Predictions of one session are not independent, sessions are taken to be: whole sessions are drawn
(Efron and Tibshirani, 1993). A mean over predictions is a ratio of two sums, so that a resample
needs no more than how often it holds each session.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS_AT_ONCE = 1 << 22
"""Of sessions: 32 MiB of weights."""


@dataclass(frozen=True)
class Interval:
    """How a figure varies over resamples.

    Attributes
    ----------
    standard_error
        Standard deviation over resamples.
    low, high
        The 2.5 and 97.5 % quantiles: a 95 % percentile interval.
    """

    standard_error: float
    low: float
    high: float


def session_numbers(session: np.ndarray) -> np.ndarray:
    """Give sessions that have predictions the numbers 0, 1, 2, … in their order, int64 [P]."""
    return np.unique(session, return_inverse=True)[1]


def session_sums(
    number: np.ndarray, cell: np.ndarray, n_cells: int, values: Sequence[np.ndarray]
) -> np.ndarray:
    """Count the predictions of each session and cell, and add up their values.

    Parameters
    ----------
    number
        Session of each prediction, from `session_numbers`, int64 [P].
    cell
        Cell of each prediction, int64 [P].
    n_cells
        Number of cells, C.
    values
        M arrays of [P].

    Returns
    -------
    float64 [S, 1 + M, C]
        The counts, then the sums.
    """
    n_sessions = int(number.max(initial=-1)) + 1
    place = number * n_cells + cell
    sums = np.empty((n_sessions, 1 + len(values), n_cells))
    for column, weights in enumerate([None, *values]):
        flat = np.bincount(place, weights=weights, minlength=n_sessions * n_cells)
        sums[:, column] = flat.reshape(n_sessions, n_cells)
    return sums


def resampled_sums(sums: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Add up the sums of as many sessions as there are, drawn with replacement.

    The draws depend on the number of sessions and the seed alone: what is resampled apart for two
    models on the same sessions is paired.

    Parameters
    ----------
    sums
        What each session adds, float64 [S, …].
    n_resamples
        How often as many sessions as there are get drawn, R.
    seed
        Equal seeds give equal draws.

    Returns
    -------
    float64 [R, …]
    """
    n_sessions = len(sums)
    flat = sums.reshape(n_sessions, math.prod(sums.shape[1:]))
    resampled = np.zeros((n_resamples, flat.shape[1]))
    rng = np.random.default_rng(seed)
    at_once = max(1, _DRAWS_AT_ONCE // max(n_sessions, 1))
    for begin in range(0, n_resamples if n_sessions else 0, at_once):
        size = min(at_once, n_resamples - begin)
        drawn = rng.integers(0, n_sessions, (size, n_sessions))
        drawn += np.arange(size)[:, None] * n_sessions
        times = np.bincount(drawn.ravel(), minlength=size * n_sessions)
        resampled[begin : begin + size] = times.reshape(size, -1).astype(np.float64) @ flat
    return resampled.reshape(n_resamples, *sums.shape[1:])


def interval(resampled: np.ndarray) -> Interval:
    """Return the standard error and 95 % percentile interval of a figure's resamples.

    Parameters
    ----------
    resampled
        The figure in each resample, float64 [R]; NaN, where a resample holds nothing of the slice,
        is left out.

    Returns
    -------
    Interval
        All NaN with fewer than two resamples left.
    """
    measured = resampled[~np.isnan(resampled)]
    if len(measured) < 2:
        return Interval(np.nan, np.nan, np.nan)
    low, high = np.quantile(measured, [0.025, 0.975])
    return Interval(float(measured.std(ddof=1)), float(low), float(high))
