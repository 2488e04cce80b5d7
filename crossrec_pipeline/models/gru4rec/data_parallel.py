"""A window of each process in; one step on all of them, made alike by every process, out.

Synchronous data parallelism: each process takes the gradient of its own window, gradients are
averaged over all predictions, and each process moves its own copy of the weights by the average.
The copies are equal before, so they are equal afterwards, to the last bit.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.batches import Order, Window
from crossrec_pipeline.models.gru4rec.optimisers import add_rows
from crossrec_pipeline.models.gru4rec.processes import Processes
from crossrec_pipeline.models.gru4rec.steps import StepGradient, TrainingStep


@dataclass(frozen=True)
class Wishes:
    """What is to be done after a step; all processes do what any of them wishes.

    Attributes
    ----------
    leave
        Break the training off.
    save
        Write its state down.
    """

    leave: bool
    save: bool


@dataclass(frozen=True)
class JointStep:
    """What a step of all processes came to.

    Attributes
    ----------
    loss
        Mean over the predictions of all processes.
    n_predictions
        Their number.
    last_state
        Each segment's last state in this process' window, float [n_layers, S, H].
    wishes
        What all processes do now.
    """

    loss: float
    n_predictions: int
    last_state: Tensor
    wishes: Wishes


class OwnShare:
    """Every `count`-th number of an order, from this process' rank on."""

    def __init__(self, order: Order, processes: Processes) -> None:
        self._order = order
        self._rank, self._count = processes.rank, processes.count

    def __len__(self) -> int:
        return len(range(self._rank, len(self._order), self._count))

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return the numbers at these positions of the share."""
        begin, end, step = part.indices(len(self))
        first, last = (self._rank + place * self._count for place in (begin, end))
        return self._order[first : last : step * self._count]


def joint_step(
    step: TrainingStep,
    window: Window,
    state: Tensor,
    learning_rate: float,
    processes: Processes,
    wishes: Wishes,
) -> JointStep | None:
    """Train on the windows of all processes.

    A process that has no predictions left takes part with an empty window until no other has any
    either. Where a gradient has overflowed in any process, none moves.

    Parameters
    ----------
    step
        Takes the gradient of this process' window and moves its weights.
    window, state
        See `TrainingStep`.
    learning_rate
        The same in all processes.
    processes
        Who takes part.
    wishes
        What this process wants done afterwards.

    Returns
    -------
    JointStep
        Or None if no process had a prediction, so that nothing was done.
    """
    n_own = len(window.targets)
    if processes.count == 1:
        if n_own == 0:
            return None
        loss, last_state = step(window, state, learning_rate)
        return JointStep(loss.item(), n_own, last_state, wishes)

    loss_sum, last_state, gradient = 0.0, state, None
    if n_own:
        result = step.gradient(window, state)
        loss_sum, last_state = n_own * result.loss.item(), result.last_state
        gradient = result.gradient
    overflowed = n_own > 0 and gradient is None
    gradient = gradient or step.no_gradient()
    n_rows = [len(gradient.rows[name][0]) for name in sorted(gradient.rows)]
    figures = processes.figures_of_all(
        [n_own, loss_sum, overflowed, wishes.leave, wishes.save, *n_rows]
    )
    n_all, loss_sum, any_overflowed, leave, save, *_ = figures.sum(axis=0).tolist()
    if n_all == 0:
        return None
    if not any_overflowed:
        n_rows_of_all = figures[:, figures.shape[1] - len(n_rows) :].astype(np.int64)
        mean = mean_gradient(gradient, n_own / n_all, n_rows_of_all, processes)
        step.move(mean, learning_rate)
    return JointStep(
        loss_sum / n_all, int(n_all), last_state, Wishes(leave=leave > 0, save=save > 0)
    )


def mean_gradient(
    own: StepGradient, weight: float, n_rows: np.ndarray, processes: Processes
) -> StepGradient:
    """Average gradients over the processes; the result is the same in all, to the last bit.

    Whole parameters travel as one sum. Of tables only the touched rows travel: a table of a
    million items is never sent.

    Parameters
    ----------
    own
        This process' gradient.
    weight
        What it counts for; over all processes, weights add up to 1.
    n_rows
        Rows that each process has touched of each table, by name, int [count, tables].
    processes
        Who takes part.
    """
    return StepGradient(
        _mean_of_wholes(own.whole, weight, processes),
        _mean_of_rows(own.rows, weight, n_rows, processes),
    )


def _mean_of_wholes(
    own: dict[str, Tensor], weight: float, processes: Processes
) -> dict[str, Tensor]:
    names = sorted(own)
    flat = torch.cat([own[name].reshape(-1) for name in names]).mul_(weight)
    processes.add_up(flat)
    parts = flat.split([own[name].numel() for name in names])
    return {name: part.view_as(own[name]) for name, part in zip(names, parts, strict=True)}


def _mean_of_rows(
    own: dict[str, tuple[Tensor, Tensor]],
    weight: float,
    n_rows: np.ndarray,
    processes: Processes,
) -> dict[str, tuple[Tensor, Tensor]]:
    if not own:
        return {}
    names = sorted(own)
    shapes = [own[name][1].shape[1:] for name in names]
    widths = [shape.numel() for shape in shapes]
    # Processes send equally much: the shorter ones are filled up.
    ids = torch.cat([own[name][0] for name in names])
    ids_of_all = processes.gathered(_filled_up(ids, n_rows.sum(axis=1).max()))
    cells = torch.cat([own[name][1].reshape(-1) for name in names]).mul_(weight)
    cells_of_all = processes.gathered(_filled_up(cells, (n_rows * widths).sum(axis=1).max()))

    of_tables: list[list[tuple[Tensor, Tensor]]] = [[] for _ in names]
    for sizes, its_ids, its_cells in zip(n_rows, ids_of_all, cells_of_all, strict=True):
        id_parts = its_ids[: sizes.sum()].split(sizes.tolist())
        cell_parts = its_cells[: (sizes * widths).sum()].split((sizes * widths).tolist())
        for table, (rows, values) in enumerate(zip(id_parts, cell_parts, strict=True)):
            of_tables[table].append((rows, values.view(-1, widths[table])))
    return {
        name: _sum_of_rows(parts, shape)
        for name, parts, shape in zip(names, of_tables, shapes, strict=True)
    }


def _filled_up(values: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, int(length) - len(values)))


def _sum_of_rows(parts: list[tuple[Tensor, Tensor]], shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Add up what several processes have of a row.

    A row comes once in each part, and parts are added one after the other: so the order of
    additions, and with it the last bit, does not depend on how a device schedules them.
    """
    rows, place = torch.cat([rows for rows, _ in parts]).unique(return_inverse=True)
    total = parts[0][1].new_zeros(len(rows), shape.numel())
    begin = 0
    for its_rows, values in parts:
        add_rows(total, place[begin : begin + len(its_rows)], values)
        begin += len(its_rows)
    return rows, total.view(-1, *shape)
