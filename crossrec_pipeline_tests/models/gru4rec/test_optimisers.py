import pytest
import torch

from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.optimisers import (
    dense_optimiser,
    row_optimiser,
    set_learning_rate,
)

OPTIMISERS = ["adam", "adagrad"]


@pytest.mark.parametrize("shape", [(5, 3), (5,)])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_rows_touched_in_every_step_move_as_with_torchs_own(name, shape):
    torch.manual_seed(0)
    config = preset("default", optimiser=name, learning_rate=0.05)
    table = torch.randn(shape)
    parameter = torch.nn.Parameter(table.clone())
    rows, dense = row_optimiser(table, config), dense_optimiser([parameter], config)
    order = torch.tensor([3, 0, 4, 1, 2])
    for step in range(6):
        gradient, learning_rate = torch.randn(shape), 0.05 / (step + 1)
        rows.update(order, gradient[order], learning_rate)
        parameter.grad = gradient
        set_learning_rate(dense, learning_rate)
        dense.step()
        torch.testing.assert_close(table, parameter.data)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_untouched_rows_stay(name):
    table = torch.ones(4, 2)
    rows = row_optimiser(table, preset("default", optimiser=name))
    rows.update(torch.tensor([1, 3]), torch.ones(2, 2), 0.1)
    rows.update(torch.tensor([1]), torch.ones(1, 2), 0.1)
    assert (table[[0, 2]] == 1).all()
    assert (table[1] < table[3]).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_row_first_touched_late_moves_as_far_as_one_touched_first(name):
    table = torch.zeros(2, 3)
    rows = row_optimiser(table, preset("default", optimiser=name))
    gradient = torch.tensor([[0.3, -2.0, 0.01]])
    rows.update(torch.tensor([0]), gradient, 0.1)
    first_move = table[0].clone()
    for _ in range(20):
        rows.update(torch.tensor([0]), gradient, 0.1)
    rows.update(torch.tensor([1]), gradient, 0.1)
    torch.testing.assert_close(table[1], first_move)
