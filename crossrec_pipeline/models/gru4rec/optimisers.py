"""Gradients in, parameters changed in place: whole parameters, or touched rows of a table only."""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn

from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig

_ADAM_BETAS = (0.9, 0.999)
_ADAM_EPS = 1e-8
_ADAGRAD_EPS = 1e-6


def dense_optimiser(
    parameters: Iterable[nn.Parameter], config: GRU4RecConfig
) -> torch.optim.Optimizer:
    """Return torch's own optimiser of whole parameters."""
    parameters = list(parameters)
    on_cpu = all(parameter.device.type == "cpu" for parameter in parameters)
    if config.optimiser == "adam":
        return torch.optim.Adam(
            parameters, config.learning_rate, betas=_ADAM_BETAS, eps=_ADAM_EPS, fused=True
        )
    # Adagrad has a fused kernel on the CPU only.
    return torch.optim.Adagrad(
        parameters, config.learning_rate, eps=_ADAGRAD_EPS, fused=True if on_cpu else None
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Change the step size of all parameters."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate


class RowOptimiser(Protocol):
    """Keeps an optimiser's memory for one table and updates the rows it is told."""

    def update(self, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """Move the table's `rows` (distinct, int64 [R]) by their `gradient` [R, …]."""
        ...


class RowAdagrad:
    """Adagrad (Duchi et al. 2011); skipping rows without gradient changes nothing in it."""

    def __init__(self, table: Tensor) -> None:
        self._table = table
        self._sum_of_squares = torch.zeros_like(table)

    @torch.no_grad()
    def update(self, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """Move the table's `rows` by their `gradient`."""
        squares = self._sum_of_squares.index_select(0, rows).addcmul_(gradient, gradient)
        self._sum_of_squares.index_copy_(0, rows, squares)
        values = self._table.index_select(0, rows)
        values.addcdiv_(gradient, squares.sqrt_().add_(_ADAGRAD_EPS), value=-learning_rate)
        self._table.index_copy_(0, rows, values)


class RowAdam:
    """Lazy Adam (Kingma and Ba 2015): moments of a row decay only in steps that touch it.

    Bias is corrected by the number of steps that touched the row, so that a row seen for the
    first time late in training moves as far as one seen in the first step.
    """

    def __init__(self, table: Tensor) -> None:
        self._table = table
        self._mean = torch.zeros_like(table)
        self._square = torch.zeros_like(table)
        self._times = torch.zeros(len(table), device=table.device)

    @torch.no_grad()
    def update(self, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """Move the table's `rows` by their `gradient`."""
        beta_1, beta_2 = _ADAM_BETAS
        mean = self._mean.index_select(0, rows).lerp_(gradient, 1 - beta_1)
        self._mean.index_copy_(0, rows, mean)
        square = self._square.index_select(0, rows)
        square.mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
        self._square.index_copy_(0, rows, square)
        times = self._times.index_select(0, rows).add_(1)
        self._times.index_copy_(0, rows, times)

        times = times.view(-1, *[1] * (gradient.ndim - 1))
        square.div_(1 - beta_2**times).sqrt_().add_(_ADAM_EPS)
        mean.div_(1 - beta_1**times)
        values = self._table.index_select(0, rows).addcdiv_(mean, square, value=-learning_rate)
        self._table.index_copy_(0, rows, values)


def row_optimiser(table: Tensor, config: GRU4RecConfig) -> RowOptimiser:
    """Return the configured optimiser for the rows of `table`."""
    return RowAdam(table) if config.optimiser == "adam" else RowAdagrad(table)
