import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.evaluation.bootstrap import (
    interval,
    resampled_sums,
    session_numbers,
    session_sums,
)


def test_sessions_are_numbered_in_their_order():
    assert session_numbers(np.array([7, 7, 3, 9])).tolist() == [1, 1, 0, 2]


def test_sums_of_each_session_and_cell_by_hand():
    number, cell = np.array([0, 0, 0, 1]), np.array([0, 2, 2, 1])
    values = np.array([1.0, 2.0, 4.0, 8.0])

    found = session_sums(number, cell, 3, [values, -values])

    assert found.tolist() == [
        [[1, 0, 2], [1, 0, 6], [-1, 0, -6]],
        [[0, 1, 0], [0, 8, 0], [0, -8, 0]],
    ]


def test_no_predictions_give_no_sessions():
    nothing = np.zeros(0, dtype=np.int64)

    assert session_sums(nothing, nothing, 3, [np.zeros(0)]).shape == (0, 2, 3)
    assert resampled_sums(np.zeros((0, 2, 3)), 5, 0).shape == (5, 2, 3)


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**16))
def test_every_resample_holds_as_many_sessions_as_there_are(n: int, n_resamples: int, seed: int):
    ones_and_number = np.column_stack([np.ones(n), np.arange(n)])

    found = resampled_sums(ones_and_number, n_resamples, seed)

    assert found[:, 0].tolist() == [n] * n_resamples
    assert ((found[:, 1] >= 0) & (found[:, 1] <= n * (n - 1))).all()


def test_each_session_is_drawn_once_on_average_with_the_multinomial_variance():
    times = resampled_sums(np.eye(20), 20_000, seed=2)  # how often each session was drawn

    assert times.mean(axis=0) == pytest.approx(np.ones(20), abs=4 / np.sqrt(20_000))
    assert times.var(axis=0).mean() == pytest.approx(1 - 1 / 20, rel=0.02)


def test_what_is_resampled_apart_has_the_same_draws():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 50, 3))

    together = resampled_sums(np.concatenate([first, second], axis=1), 100, seed=4)

    np.testing.assert_allclose(together[:, :3], resampled_sums(first, 100, seed=4))
    np.testing.assert_allclose(together[:, 3:], resampled_sums(second, 100, seed=4))
    assert not np.allclose(together[:, :3], resampled_sums(first, 100, seed=5))


def test_the_interval_is_cut_at_the_quantiles():
    found = interval(np.arange(0, 1001) / 1000)

    assert (found.low, found.high) == (pytest.approx(0.025), pytest.approx(0.975))
    assert found.standard_error == pytest.approx(np.sqrt(1 / 12), rel=0.01)


def test_resamples_without_the_slice_are_left_out():
    with_gaps = interval(np.array([np.nan, 1.0, 2.0, np.nan, 3.0]))

    assert with_gaps == interval(np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("resampled", [[], [np.nan], [0.5], [0.5, np.nan]])
def test_fewer_than_two_resamples_bound_nothing(resampled: list[float]):
    found = interval(np.array(resampled))

    assert all(map(math.isnan, (found.standard_error, found.low, found.high)))


@given(st.integers(0, 2**16), st.integers(2, 60))
def test_the_interval_contains_the_estimate(seed: int, n_sessions: int):
    rng = np.random.default_rng(seed)
    n_predictions = rng.integers(1, 8, n_sessions)
    hits = rng.binomial(n_predictions, rng.random(n_sessions))

    sums = resampled_sums(np.column_stack([n_predictions, hits]), 400, seed)

    found = interval(sums[:, 1] / sums[:, 0])
    assert found.low - 1e-12 <= hits.sum() / n_predictions.sum() <= found.high + 1e-12


def test_nineteen_of_twenty_intervals_cover_the_known_mean():
    # Sessions of 1 to 6 predictions share a chance of a hit whose mean is 0.4 whatever the length.
    rng = np.random.default_rng(8)
    covered = 0
    for seed in range(400):
        n_predictions = rng.integers(1, 7, 150)
        hits = rng.binomial(n_predictions, rng.beta(2, 3, 150))
        sums = resampled_sums(np.column_stack([n_predictions, hits]), 400, seed)
        found = interval(sums[:, 1] / sums[:, 0])
        covered += found.low <= 0.4 <= found.high

    # Four standard errors of 400 draws at 0.95 are 0.044.
    assert covered / 400 == pytest.approx(0.95, abs=0.044)
