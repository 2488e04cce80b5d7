"""One window of sessions in; the network's weights moved, loss and last states out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.batches import Window
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.gradients import GradientMaker, ReadWeights
from crossrec_pipeline.models.gru4rec.losses import Contrast
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.optimisers import (
    WholeOptimiser,
    add_rows,
    limit_norm,
    row_optimiser,
)
from crossrec_pipeline.models.gru4rec.precision import precision_on
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.sampling_kernels import number_items
from crossrec_pipeline.models.gru4rec.state import State, Stateful

OWN_PARTS = ("sampler", "precision")
"""What of a step's state is not the same in all processes of a training."""


@dataclass(frozen=True)
class StepGradient:
    """Gradient of a step's mean loss, by parameter.

    Attributes
    ----------
    whole
        Of the parameters that move as a whole, each in its parameter's shape.
    rows
        Of tables: the touched rows, distinct int64 [R], and their gradient, float [R, …].
    """

    whole: dict[str, Tensor]
    rows: dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class WindowResult:
    """What a window comes to.

    Attributes
    ----------
    loss
        Mean over its predictions, float [].
    last_state
        Each segment's last state, float [n_layers, S, H], detached.
    gradient
        None if it overflowed, so that nothing is to be moved.
    """

    loss: Tensor
    last_state: Tensor
    gradient: StepGradient | None


class TrainingStep(Stateful, Protocol):
    """Moves a network's weights by the gradient of one window's mean loss."""

    def __call__(
        self, window: Window, state: Tensor, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        """Return the loss, float [], and each segment's last state [n_layers, S, H], detached."""
        ...

    def gradient(self, window: Window, state: Tensor) -> WindowResult:
        """Take the gradient of a window with at least one prediction; move nothing."""
        ...

    def no_gradient(self) -> StepGradient:
        """Return the gradient of no predictions: zeros, and no rows."""
        ...

    def move(self, gradient: StepGradient, learning_rate: float) -> None:
        """Move the weights; the gradient is shortened in place where it is too long."""
        ...


class FullSoftmaxStep:
    """Contrasts each target with all items; every weight moves in every step."""

    def __init__(self, network: GRU4RecNetwork, config: GRU4RecConfig) -> None:
        self._network = network
        self._config = config
        self._precision = precision_on(network.output_bias.device, config.precision)
        self._gradients_of = GradientMaker(network, config, self._precision)
        self._optimisers = {
            name: WholeOptimiser(parameter, config)
            for name, parameter in network.named_parameters()
        }
        self._all_items = Contrast.of_all_items(network.output_bias.detach())

    def __call__(
        self, window: Window, state: Tensor, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        """Train on one window."""
        result = self.gradient(window, state)
        if result.gradient is not None:
            self.move(result.gradient, learning_rate)
        return result.loss, result.last_state

    def gradient(self, window: Window, state: Tensor) -> WindowResult:
        """Take the gradient of one window."""
        network, device = self._network, state.device
        inputs, targets = _tensor(window.inputs, device), _tensor(window.targets, device)
        table = network.input_embedding.detach()
        read = ReadWeights(
            table.index_select(0, inputs),
            network.output_weight.detach(),
            network.output_bias.detach(),
        )
        contrast = replace(self._all_items, target_column=targets)
        result = self._gradients_of(read, contrast, torch.from_numpy(window.batch_sizes), state)
        if (found := result.gradients) is None:
            return WindowResult(result.loss, result.last_state, None)
        d_input = found.weight if network.tied else torch.zeros_like(table)
        add_rows(d_input, inputs, found.vectors)
        gradients = {"input_embedding": d_input, "output_bias": found.bias, **found.shared}
        if not network.tied:
            gradients["output_weight"] = found.weight
        return WindowResult(result.loss, result.last_state, StepGradient(gradients, {}))

    def no_gradient(self) -> StepGradient:
        """Return zeros for all parameters."""
        parameters = self._network.named_parameters()
        return StepGradient({name: torch.zeros_like(p.data) for name, p in parameters}, {})

    def move(self, gradient: StepGradient, learning_rate: float) -> None:
        """Move all weights."""
        limit_norm(list(gradient.whole.values()), self._config.max_gradient_norm)
        for name, its_gradient in gradient.whole.items():
            self._optimisers[name].update(its_gradient, learning_rate)

    def state(self) -> State:
        """Return what the optimisers and the precision remember."""
        return _states(self._parts())

    def load_state(self, state: State) -> None:
        """Take over what `state` gave."""
        _load_states(self._parts(), state)

    def _parts(self) -> dict[str, Stateful]:
        return {**self._optimisers, "precision": self._precision}


class SampledSoftmaxStep:
    """Contrasts each target with a sample of items; only rows of touched items move.

    The touched rows are gathered once, and their gradients are as small as they are: neither a
    dense nor a coalesced sparse gradient of a whole table is ever made.
    """

    def __init__(
        self, network: GRU4RecNetwork, config: GRU4RecConfig, sampler: NegativeSampler
    ) -> None:
        self._network = network
        self._config = config
        self._sampler = sampler
        self._precision = precision_on(network.output_bias.device, config.precision)
        self._gradients_of = GradientMaker(network, config, self._precision)
        shared = network.shared_parameters()
        self._shared_optimisers = {
            name: WholeOptimiser(parameter, config) for name, parameter in shared.items()
        }
        self._row_optimisers = {
            name: row_optimiser(parameter.data, config)
            for name, parameter in network.named_parameters()
            if name not in shared
        }
        self._number = np.full(network.n_items, -1, dtype=np.int32)  # scratch of `number_items`

    def __call__(
        self, window: Window, state: Tensor, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        """Train on one window."""
        result = self.gradient(window, state)
        if result.gradient is not None:
            self.move(result.gradient, learning_rate)
        return result.loss, result.last_state

    def gradient(self, window: Window, state: Tensor) -> WindowResult:
        """Take the gradient of one window."""
        network, device = self._network, state.device
        if network.tied:
            step = self._sampler.step_items(window.inputs, window.targets, window.batch_sizes)
            candidates, input_items, input_row = step.candidates, step.rows, step.input_row
        else:
            candidates = self._sampler.candidates(window.targets, window.batch_sizes)
            input_items, input_row, _ = number_items(window.inputs, 0, self._number)
        # Distinct items of each table, and where among them the inputs are.
        items, inputs = _tensor(candidates.items, device), _tensor(input_row, device)
        rows = {"input_embedding": _tensor(input_items, device), "output_bias": items}
        input_rows = network.input_embedding.detach().index_select(0, rows["input_embedding"])
        weight = input_rows  # when tied; the candidates come first
        if not network.tied:
            rows["output_weight"] = items
            weight = network.output_weight.detach().index_select(0, items)
        read = ReadWeights(
            input_rows.index_select(0, inputs),
            weight,
            network.output_bias.detach().index_select(0, items),
        )
        contrast = Contrast.of(candidates, device)
        result = self._gradients_of(read, contrast, torch.from_numpy(window.batch_sizes), state)
        if (found := result.gradients) is None:
            return WindowResult(result.loss, result.last_state, None)
        # One gradient for each row, of all that it was read for: Adagrad and Adam are not
        # linear, so that two moves in turn would be another thing.
        d_input = found.weight if network.tied else torch.zeros_like(input_rows)
        add_rows(d_input, inputs, found.vectors)
        gradients = {"input_embedding": d_input, "output_bias": found.bias}
        if not network.tied:
            gradients["output_weight"] = found.weight
        of_rows = {name: (rows[name], gradient) for name, gradient in gradients.items()}
        return WindowResult(result.loss, result.last_state, StepGradient(found.shared, of_rows))

    def no_gradient(self) -> StepGradient:
        """Return zeros for the shared parameters, and no rows of the tables."""
        parameters = {name: p.data for name, p in self._network.named_parameters()}
        return StepGradient(
            {name: torch.zeros_like(parameters[name]) for name in self._shared_optimisers},
            {
                name: (
                    torch.empty(0, dtype=torch.int64, device=parameters[name].device),
                    parameters[name][:0],
                )
                for name in self._row_optimisers
            },
        )

    def move(self, gradient: StepGradient, learning_rate: float) -> None:
        """Move the shared parameters and the touched rows."""
        of_rows = [its_gradient for _, its_gradient in gradient.rows.values()]
        limit_norm([*of_rows, *gradient.whole.values()], self._config.max_gradient_norm)
        for name, (rows, its_gradient) in gradient.rows.items():
            self._row_optimisers[name].update(rows, its_gradient, learning_rate)
        for name, its_gradient in gradient.whole.items():
            self._shared_optimisers[name].update(its_gradient, learning_rate)

    def state(self) -> State:
        """Return what the optimisers, the sampler and the precision remember."""
        return _states(self._parts())

    def load_state(self, state: State) -> None:
        """Take over what `state` gave."""
        _load_states(self._parts(), state)

    def _parts(self) -> dict[str, Stateful]:
        return {
            **self._row_optimisers,
            **self._shared_optimisers,
            "sampler": self._sampler,
            "precision": self._precision,
        }


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)


def _states(parts: Mapping[str, Stateful]) -> State:
    return {name: part.state() for name, part in parts.items()}


def _load_states(parts: Mapping[str, Stateful], state: State) -> None:
    for name, part in parts.items():
        part.load_state(state[name])
