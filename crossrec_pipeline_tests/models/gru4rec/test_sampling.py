import math

import numpy as np
import pytest

from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler

SUPPORT = np.array([1, 4, 16, 64, 25])


def _sampler(alpha=0.5, n_negatives=8, support=SUPPORT, seed=0):
    return NegativeSampler(support, alpha, n_negatives, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (0.0, np.full(5, 1 / 5)),
        (0.5, np.array([1, 2, 4, 8, 5]) / 20),
        (1.0, SUPPORT / SUPPORT.sum()),
    ],
)
def test_negatives_follow_support_to_the_power_of_alpha(alpha, expected):
    n = 100_000
    counts = np.bincount(_sampler(alpha, n).draw(), minlength=5)
    chi_square = ((counts - n * expected) ** 2 / (n * expected)).sum()
    assert chi_square < 18.5  # 99.9 % of the distribution with 4 degrees of freedom


def test_same_seed_draws_the_same_and_another_seed_others():
    draws = [_sampler(n_negatives=50, seed=seed).draw().tolist() for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


def test_items_without_support_can_be_drawn():
    drawn = _sampler(1.0, 1000, support=np.array([0, 3, 0])).draw()
    assert set(drawn.tolist()) == {0, 1, 2}


def test_candidates_are_the_targets_and_negatives_each_once():
    sampler = _sampler(n_negatives=6)
    sampler.draw = lambda: np.array([2, 2, 0, 3, 2, 0])  # type: ignore[method-assign]
    found = sampler.candidates(np.array([3, 1, 3]))
    assert found.items.tolist() == [0, 1, 2, 3]
    assert found.target_column.tolist() == [3, 1, 3]


def test_own_target_drawn_as_a_negative_is_one_column_only():
    sampler = _sampler(n_negatives=200)
    targets = np.array([3, 3, 2, 0])
    found = sampler.candidates(targets)
    assert 3 in sampler.draw()
    assert (found.items[found.target_column] == targets).all()
    assert ((found.items[None, :] == targets[:, None]).sum(axis=1) == 1).all()


def test_log_inclusion_by_hand():
    # Item 1: p = 4/110 as one of the 2 other targets, q = 2/20 in each of 3 draws.
    sampler = _sampler(n_negatives=3)
    expected = math.log(1 - (1 - 4 / 110) ** 2 * (1 - 2 / 20) ** 3)
    assert sampler.log_inclusion(np.array([1]), 3)[0] == pytest.approx(expected, rel=1e-5)


def test_log_inclusion_is_how_often_an_item_really_comes_in():
    sampler = _sampler(n_negatives=4)
    rng = np.random.default_rng(5)
    n_trials, n_predictions = 20_000, 3
    others = rng.choice(5, (n_trials, n_predictions - 1), p=sampler.target_probability)
    drawn = np.stack([sampler.draw() for _ in range(n_trials)])
    together = np.concatenate([others, drawn], axis=1)
    share = [(together == item).any(axis=1).mean() for item in range(5)]
    np.testing.assert_allclose(
        np.exp(sampler.log_inclusion(np.arange(5), n_predictions)), share, atol=0.012
    )


def test_log_inclusion_stays_finite_for_certain_and_for_rare_items():
    sampler = _sampler(1.0, 100_000, support=np.array([10**9, 1]))
    assert np.isfinite(sampler.log_inclusion(np.arange(2), 1)).all()
    lone = _sampler(support=np.array([7]))
    assert lone.log_inclusion(np.array([0]), 1)[0] == pytest.approx(0, abs=1e-6)
