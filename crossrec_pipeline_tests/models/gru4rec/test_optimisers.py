import math

import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.optimisers import (
    WholeOptimiser,
    limit_norm,
    row_optimiser,
)

OPTIMISERS = {
    "adam": preset("default", optimiser="adam"),
    "adagrad": preset("default", optimiser="adagrad"),
    "momentum": preset("default", optimiser="adagrad", momentum=0.4),
}
every_optimiser = pytest.mark.parametrize("config", OPTIMISERS.values(), ids=OPTIMISERS)


def _slow_adam(cell, gradients, rates):
    mean = square = 0.0
    for times, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        root = math.sqrt(square / (1 - 0.999**times)) + 1e-8
        cell -= rate * mean / (1 - 0.9**times) / root
    return cell


def _slow_adagrad(cell, gradients, rates, momentum):
    total = move = 0.0
    for gradient, rate in zip(gradients, rates, strict=True):
        total += gradient**2
        move = momentum * move - rate * gradient / math.sqrt(total + 1e-6)
        cell += move
    return cell


def _slow(config, cell, gradients, rates):
    """One cell through the steps that touch it, in float64."""
    if config.optimiser == "adam":
        return _slow_adam(cell, gradients, rates)
    return _slow_adagrad(cell, gradients, rates, config.momentum)


@pytest.mark.parametrize("shape", [(40, 17), (40,), (40, 1)])
@every_optimiser
def test_rows_move_as_in_a_slow_reference(config, shape):
    rng = np.random.default_rng(0)
    start = rng.normal(size=shape)
    table = torch.tensor(start, dtype=torch.float32)
    optimiser = row_optimiser(table, config)
    history: dict[int, list] = {row: [] for row in range(40)}
    for step in range(6):
        rows = rng.permutation(40)[: 10 + step]
        # Sizes from far below Adagrad's eps to above.
        gradient = rng.normal(size=(len(rows), *shape[1:])) * 10.0 ** rng.integers(-6, 1)
        optimiser.update(torch.from_numpy(rows), torch.tensor(gradient).float(), 0.1 / (step + 1))
        for row, values in zip(rows.tolist(), gradient, strict=True):
            history[row].append((values, 0.1 / (step + 1)))
    expected = start.copy()
    for row, steps in history.items():
        for cell in np.ndindex(shape[1:]):
            gradients, rates = [values[cell] for values, _ in steps], [rate for _, rate in steps]
            expected[(row, *cell)] = _slow(config, start[(row, *cell)], gradients, rates)
    np.testing.assert_allclose(table.numpy(), expected, rtol=1e-5, atol=1e-5)
    assert (table.numpy() == start.astype(np.float32))[[not history[r] for r in range(40)]].all()


@pytest.mark.parametrize("shape", [(5, 3), (5,)])
def test_adam_that_touches_all_is_torchs_own(shape):
    torch.manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(shape))
    ours = parameter.detach().clone()
    whole = WholeOptimiser(ours, OPTIMISERS["adam"])
    dense = torch.optim.Adam([parameter], 0.05)
    for step in range(6):
        parameter.grad = torch.randn(shape)
        dense.param_groups[0]["lr"] = 0.05 / (step + 1)
        whole.update(parameter.grad, 0.05 / (step + 1))
        dense.step()
        torch.testing.assert_close(ours, parameter.data)


@every_optimiser
def test_whole_parameter_moves_as_its_rows_would(config):
    torch.manual_seed(0)
    table = torch.randn(4, 3)
    whole = table.clone()
    rows, of_whole = row_optimiser(table, config), WholeOptimiser(whole, config)
    for _ in range(4):
        gradient = torch.randn(4, 3)
        rows.update(torch.arange(4), gradient, 0.1)
        of_whole.update(gradient, 0.1)
    torch.testing.assert_close(whole, table)


@every_optimiser
def test_whole_optimiser_takes_a_gradient_laid_out_otherwise(config):
    torch.manual_seed(0)
    gradient = torch.randn(3, 4).t()
    one, other = torch.zeros(4, 3), torch.zeros(4, 3)
    WholeOptimiser(one, config).update(gradient, 0.1)
    WholeOptimiser(other, config).update(gradient.contiguous(), 0.1)
    assert torch.equal(one, other)


@every_optimiser
def test_row_first_touched_late_moves_as_far_as_one_touched_first(config):
    table = torch.zeros(2, 3)
    rows = row_optimiser(table, config)
    gradient = torch.tensor([[0.3, -2.0, 0.01]])
    rows.update(torch.tensor([0]), gradient, 0.1)
    first_move = table[0].clone()
    for _ in range(20):
        rows.update(torch.tensor([0]), gradient, 0.1)
    rows.update(torch.tensor([1]), gradient, 0.1)
    torch.testing.assert_close(table[1], first_move)


@every_optimiser
def test_goes_on_from_its_state_as_if_nothing_had_happened(config):
    torch.manual_seed(0)
    one, other = torch.zeros(5, 2), torch.zeros(5, 2)
    first, second = row_optimiser(one, config), row_optimiser(other, config)
    rows, gradients = torch.tensor([3, 1]), torch.randn(4, 2, 2)
    for gradient in gradients[:2]:
        first.update(rows, gradient, 0.1)
    second.load_state(first.state())
    other.copy_(one)
    for gradient in gradients[2:]:
        first.update(rows, gradient, 0.1)
        second.update(rows, gradient, 0.1)
    assert torch.equal(one, other)


def test_gradients_together_are_shortened_to_the_norm():
    gradients = [torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])]
    limit_norm(gradients, 1.0)
    torch.testing.assert_close(gradients, [torch.tensor([0.6]), torch.tensor([[0.0, 0.8]])])


@pytest.mark.parametrize("max_norm", [None, 5.1])
def test_gradients_within_the_norm_stay(max_norm):
    gradients = [torch.tensor([3.0]), torch.tensor([4.0])]
    limit_norm(gradients, max_norm)
    assert gradients == [torch.tensor([3.0]), torch.tensor([4.0])]


def test_gradients_of_zero_stay_zero():
    gradients = [torch.zeros(2)]
    limit_norm(gradients, 1.0)
    assert not gradients[0].any()
