import math

import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.losses import full_cross_entropy, sampled_cross_entropy
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler


def _slow_sampled_loss(hidden, weight, bias, targets, drawn, sampler):
    """Loss and gradients with plain loops in float64, from the full tables.

    Contrast of a prediction: its target, and every other item that is another prediction's target
    or drawn, once, each score less the log of its inclusion probability.
    """
    n = len(targets)
    loss, d_hidden = 0.0, np.zeros_like(hidden)
    d_weight, d_bias = np.zeros_like(weight), np.zeros_like(bias)
    p, q = sampler.target_probability, sampler.negative_probability
    for row in range(n):
        pool = {int(t) for t in targets} | {int(d) for d in drawn}
        contrast = [int(targets[row]), *sorted(pool - {int(targets[row])})]
        scores = []
        for item in contrast:
            inclusion = 1 - (1 - p[item]) ** (n - 1) * (1 - q[item]) ** len(drawn)
            scores.append(hidden[row] @ weight[item] + bias[item] - math.log(inclusion))
        total = sum(math.exp(score) for score in scores)
        loss += -(scores[0] - math.log(total)) / n
        for column, item in enumerate(contrast):
            slope = (math.exp(scores[column]) / total - (column == 0)) / n
            d_hidden[row] += slope * weight[item]
            d_weight[item] += slope * hidden[row]
            d_bias[item] += slope
    return loss, d_hidden, d_weight, d_bias


@pytest.mark.parametrize("seed", range(4))
def test_sampled_loss_and_gradients_equal_a_slow_reference(seed):
    rng = np.random.default_rng(seed)
    n_items, width, n = 12, 5, 6
    sampler = NegativeSampler(rng.integers(1, 60, n_items), 0.5, 7, rng)
    hidden, weight = rng.normal(size=(n, width)), rng.normal(size=(n_items, width))
    bias, targets = rng.normal(size=n_items), rng.integers(0, n_items, n)
    drawn = sampler.draw()
    drawn[:2] = targets[:2]  # own targets drawn as negatives
    sampler.draw = lambda: drawn  # type: ignore[method-assign]
    found = sampler.candidates(targets)

    tables = [torch.tensor(x, requires_grad=True) for x in (hidden, weight, bias)]
    items = torch.from_numpy(found.items)
    loss = sampled_cross_entropy(
        tables[0],
        tables[1][items],
        tables[2][items],
        torch.from_numpy(found.target_column),
        torch.from_numpy(found.log_inclusion),
    )
    loss.backward()
    expected = _slow_sampled_loss(hidden, weight, bias, targets, drawn, sampler)
    assert loss.item() == pytest.approx(expected[0], rel=1e-6)
    for table, gradient in zip(tables, expected[1:], strict=True):
        assert table.grad is not None
        np.testing.assert_allclose(table.grad.numpy(), gradient, atol=1e-6)


def _mean_gradient_at_the_truth(truth, corrected):
    """Mean gradient of the scores at log(truth), targets drawn from truth, float64 [n_items]."""
    rng = np.random.default_rng(0)
    sampler = NegativeSampler(np.array([1000, 200, 50, 10, 3]), 1.0, 2, rng)
    total = np.zeros(len(truth))
    n_trials = 3000
    for target in rng.choice(len(truth), n_trials, p=truth):
        found = sampler.candidates(np.array([target]))
        scores = torch.tensor(np.log(truth), requires_grad=True)
        log_inclusion = torch.from_numpy(found.log_inclusion)
        items = torch.from_numpy(found.items)
        sampled_cross_entropy(
            torch.zeros(1, 1, dtype=torch.float64),
            torch.zeros(len(items), 1, dtype=torch.float64),
            scores[items],
            torch.from_numpy(found.target_column),
            log_inclusion if corrected else torch.zeros_like(log_inclusion),
        ).backward()
        assert scores.grad is not None
        total += scores.grad.numpy()
    return total / n_trials


def test_log_q_correction_leaves_the_true_probabilities_in_place():
    truth = np.array([0.1, 0.1, 0.2, 0.3, 0.3])
    assert np.abs(_mean_gradient_at_the_truth(truth, corrected=True)).max() < 0.015
    assert np.abs(_mean_gradient_at_the_truth(truth, corrected=False)).max() > 0.03


def test_full_loss_by_hand():
    hidden = torch.tensor([[1.0]])
    weight, bias = torch.tensor([[0.0], [1.0]]), torch.tensor([0.5, 0.0])
    loss = full_cross_entropy(hidden, weight, bias, torch.tensor([1]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.5)))


def test_sampled_loss_over_all_items_that_are_certain_to_come_in_is_the_full_loss():
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(4, 3), torch.randn(9, 3), torch.randn(9)
    targets = torch.tensor([0, 8, 3, 3])
    torch.testing.assert_close(
        sampled_cross_entropy(hidden, weight, bias, targets, torch.zeros(9)),
        full_cross_entropy(hidden, weight, bias, targets),
    )
