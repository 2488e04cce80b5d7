"""Gradients in, parameters changed in place: whole parameters, or touched rows of a table only."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.compiled import is_for_kernels
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.row_kernels import (
    adagrad_rows,
    adam_rows,
    add_to_rows,
    momentum_rows,
)
from crossrec_pipeline.models.gru4rec.state import State, Stateful

_ADAM_BETAS = (0.9, 0.999)
_ADAM_EPS = 1e-8
_ADAGRAD_EPS = 1e-6


class RowOptimiser(Stateful, Protocol):
    """Keeps an optimiser's memory for one table and updates the rows it is told."""

    def update(self, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """Move the table's `rows` (distinct, int64 [R]) by their `gradient` [R, …]."""
        ...


class RowAdagrad:
    """Adagrad (Duchi et al. 2011), with momentum.

    A parameter moves by momentum × its last move - rate × gradient / sqrt(sum of squares + eps).
    With eps under the root, as in the authors' code, a cell whose gradients stay far below
    sqrt(eps) hardly moves; without it such a cell moves as far as any other. Rows that are not
    touched stay as they are, and so does their last move.
    """

    def __init__(self, table: Tensor, momentum: float = 0.0) -> None:
        self._table = table
        self._momentum = momentum
        self._sum_of_squares = torch.zeros_like(table)
        self._last_move = torch.zeros_like(table) if momentum else None

    @torch.no_grad()
    def update(self, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """Move the table's `rows` by their `gradient`."""
        if is_for_kernels(self._table):
            self._update_compiled(rows, gradient, learning_rate)
            return
        squares = self._sum_of_squares.index_select(0, rows).addcmul_(gradient, gradient)
        self._sum_of_squares.index_copy_(0, rows, squares)
        root = squares.add_(_ADAGRAD_EPS).sqrt_()
        values = self._table.index_select(0, rows)
        if self._last_move is None:
            values.addcdiv_(gradient, root, value=-learning_rate)
        else:
            move = self._last_move.index_select(0, rows).mul_(self._momentum)
            move.addcdiv_(gradient, root, value=-learning_rate)
            self._last_move.index_copy_(0, rows, move)
            values.add_(move)
        self._table.index_copy_(0, rows, values)

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The table and its memory as the kernels take them; they stay where they are."""
        last_move = None if self._last_move is None else _flat_rows(self._last_move)
        return _flat_rows(self._table), _flat_rows(self._sum_of_squares), last_move

    def _update_compiled(self, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
        table, sum_of_squares, last_move = self._arrays
        if last_move is None:
            adagrad_rows(
                table,
                sum_of_squares,
                rows.numpy(),
                _flat_rows(gradient),
                learning_rate,
                _ADAGRAD_EPS,
            )
        else:
            momentum_rows(
                table,
                sum_of_squares,
                last_move,
                rows.numpy(),
                _flat_rows(gradient),
                learning_rate,
                self._momentum,
                _ADAGRAD_EPS,
            )

    def state(self) -> State:
        """Return the sums of squares and, with momentum, the last moves."""
        state = {"sum_of_squares": self._sum_of_squares}
        if self._last_move is not None:
            state["last_move"] = self._last_move
        return state

    def load_state(self, state: State) -> None:
        """Take over what `state` gave."""
        _copy_into(self.state(), state)


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
        if is_for_kernels(self._table):
            adam_rows(
                *self._arrays,
                rows.numpy(),
                _flat_rows(gradient),
                learning_rate,
                beta_1,
                beta_2,
                _ADAM_EPS,
            )
            return
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

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The table and its memory as the kernel takes them; they stay where they are."""
        tables = (self._table, self._mean, self._square)
        table, mean, square = (_flat_rows(x) for x in tables)
        return table, mean, square, self._times.numpy()

    def state(self) -> State:
        """Return the moments and how often each row was touched."""
        return {"mean": self._mean, "square": self._square, "times": self._times}

    def load_state(self, state: State) -> None:
        """Take over what `state` gave."""
        _copy_into(self.state(), state)


class WholeOptimiser:
    """Moves all of a parameter in every step: to a row optimiser it is a table of one row."""

    def __init__(self, parameter: Tensor, config: GRU4RecConfig) -> None:
        table = parameter.data.view(1, -1)
        self._optimiser = row_optimiser(table, config)
        self._only_row = torch.zeros(1, dtype=torch.int64, device=table.device)

    def update(self, gradient: Tensor, learning_rate: float) -> None:
        """Move the parameter by its `gradient`, of the same shape."""
        self._optimiser.update(self._only_row, gradient.reshape(1, -1), learning_rate)

    def state(self) -> State:
        """Return what the row optimiser remembers."""
        return self._optimiser.state()

    def load_state(self, state: State) -> None:
        """Take over what `state` gave."""
        self._optimiser.load_state(state)


def add_rows(table: Tensor, rows: Tensor, values: Tensor) -> None:
    """Add `values` [M, D] in place to `rows` [M] of a table, which may come more than once."""
    if is_for_kernels(table):
        add_to_rows(table.numpy(), rows.numpy(), values.contiguous().numpy())
    else:
        table.index_add_(0, rows, values)


def _flat_rows(table: Tensor) -> np.ndarray:
    """Return one row of numbers for each of a table's, in the same memory if it is contiguous."""
    return table.contiguous().view(len(table), -1).numpy()


def _copy_into(own: State, state: State) -> None:
    for name, tensor in own.items():
        tensor.copy_(state[name])


def row_optimiser(table: Tensor, config: GRU4RecConfig) -> RowOptimiser:
    """Return the configured optimiser for the rows of `table`."""
    if config.optimiser == "adam":
        return RowAdam(table)
    return RowAdagrad(table, config.momentum)


@torch.no_grad()
def limit_norm(gradients: Sequence[Tensor], max_norm: float | None) -> None:
    """Shorten gradients in place so that together they are not longer than `max_norm`."""
    if max_norm is None:
        return
    norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
    share = (max_norm / torch.linalg.vector_norm(norms).clamp(min=1e-12)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(share)
