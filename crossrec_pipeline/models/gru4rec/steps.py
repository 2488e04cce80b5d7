"""One window of sessions in; the network's weights moved, loss and last states out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.batches import Window
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.content import ContentReading
from crossrec_pipeline.models.gru4rec.gradients import GradientMaker, Gradients, ReadWeights
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
    """Contrasts each target with all items; every weight moves in every step.

    Parameters
    ----------
    network, config
        What is trained, and how.
    types
        Type of each item, int64 [n_items]; needed for `within_type_weight`.
    """

    def __init__(
        self, network: GRU4RecNetwork, config: GRU4RecConfig, types: Tensor | None = None
    ) -> None:
        self._network = network
        self._config = config
        self._precision = precision_on(network.output_bias.device, config.precision)
        self._gradients_of = GradientMaker(network, config, self._precision)
        self._optimisers = {
            name: WholeOptimiser(parameter, config)
            for name, parameter in network.named_parameters()
        }
        self._all_items = Contrast.of_all_items(network.output_bias.detach())
        self._items = torch.arange(network.n_items, device=network.output_bias.device)
        self._types = types if config.within_type_weight else None

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
        rows = ReadRows(
            network,
            self._config,
            self._items,
            network.input_embedding.detach(),
            network.output_weight.detach(),
            network.output_bias.detach(),
            inputs,
            targets,
            _event_rows(window, device),
        )
        contrast = replace(self._all_items, target_column=targets)
        read = rows.weights(self._types)
        result = self._gradients_of(read, contrast, torch.from_numpy(window.batch_sizes), state)
        if (found := result.gradients) is None:
            return WindowResult(result.loss, result.last_state, None)
        d_rows, d_weight, d_bias, of_maps = rows.pull_back(found)
        gradients = {"input_embedding": d_rows, "output_bias": d_bias, **found.shared, **of_maps}
        if not network.tied:
            gradients["output_weight"] = d_weight
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

    Parameters
    ----------
    network, config
        What is trained, and how.
    sampler
        Draws the negatives.
    types
        Type of each item, int64 [n_items]; needed for `within_type_weight`.
    """

    def __init__(
        self,
        network: GRU4RecNetwork,
        config: GRU4RecConfig,
        sampler: NegativeSampler,
        types: Tensor | None = None,
    ) -> None:
        self._network = network
        self._config = config
        self._sampler = sampler
        self._types = types if config.within_type_weight else None
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
        read_items = _tensor(input_items, device)
        input_rows = network.input_embedding.detach().index_select(0, read_items)
        contrast = Contrast.of(candidates, device)
        rows = ReadRows(
            network,
            self._config,
            read_items,
            input_rows,
            # When tied, the candidates come first.
            input_rows if network.tied else network.output_weight.detach().index_select(0, items),
            network.output_bias.detach().index_select(0, items),
            inputs,
            contrast.target_column,
            _event_rows(window, device),
        )
        read = rows.weights(None if self._types is None else self._types[items])
        result = self._gradients_of(read, contrast, torch.from_numpy(window.batch_sizes), state)
        if (found := result.gradients) is None:
            return WindowResult(result.loss, result.last_state, None)
        d_rows, d_weight, d_bias, of_maps = rows.pull_back(found)
        of_rows = {"input_embedding": (read_items, d_rows), "output_bias": (items, d_bias)}
        if not network.tied:
            of_rows["output_weight"] = (items, d_weight)
        whole = {**found.shared, **of_maps}
        return WindowResult(result.loss, result.last_state, StepGradient(whole, of_rows))

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


class ReadRows:
    """The rows that a step reads of the tables of items, and the way back for their gradients.

    Parameters
    ----------
    network, config
        What is trained, and how.
    items
        Distinct items whose vectors are read, int64 [R]; candidates come first where the network
        is tied.
    vectors, weight, bias
        Of the tables: input vectors, float [R, E]; output vectors of the candidates, float
        [C, H] (or all of `vectors`, when tied); and their biases, float [C].
    inputs, targets
        Where each event's input is among the items, and its target among the candidates, int64 [N].
    event_rows
        Rows of the tables of event inputs that each event reads, int64 [parts, N]; None for none.
    """

    def __init__(
        self,
        network: GRU4RecNetwork,
        config: GRU4RecConfig,
        items: Tensor,
        vectors: Tensor,
        weight: Tensor,
        bias: Tensor,
        inputs: Tensor,
        targets: Tensor,
        event_rows: Tensor | None = None,
    ) -> None:
        self._tied = network.tied
        self._events, self._event_rows = network.events, event_rows
        self._inputs = inputs
        self._vectors, self._weight, self._bias = vectors, weight, bias
        self._reading = None
        if network.content is not None:
            self._reading = ContentReading(
                network.content, config, items, vectors, bias, inputs, targets
            )
            self._vectors, self._weight = self._reading.vectors, self._reading.weight
            self._bias = self._reading.bias

    def weights(self, types: Tensor | None) -> ReadWeights:
        """Return what the network reads; `types` are those of the candidates."""
        vectors = self._vectors.index_select(0, self._inputs)
        if self._events is not None and self._event_rows is not None:
            vectors += self._events.added(self._event_rows).detach()
        return ReadWeights(vectors, self._weight, self._bias, types)

    def pull_back(self, found: Gradients) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Return gradients of the rows' vectors, output vectors and biases, and of the maps.

        One gradient for each row, of all that it was read for: Adagrad and Adam are not linear,
        so that two moves in turn would be another thing.
        """
        of_events = {}
        if self._events is not None and self._event_rows is not None:
            gradients = self._events.pull_back(self._event_rows, found.vectors)
            of_events = {f"events.{name}": gradient for name, gradient in gradients.items()}
        if self._reading is None:
            d_vectors = found.weight if self._tied else torch.zeros_like(self._vectors)
            add_rows(d_vectors, self._inputs, found.vectors)
            return d_vectors, found.weight, found.bias, of_events
        d_vectors = torch.zeros_like(self._vectors)
        add_rows(d_vectors, self._inputs, found.vectors)
        d_rows, d_bias, of_maps = self._reading.pull_back(d_vectors, found.weight, found.bias)
        of_maps = {f"content.{name}": gradient for name, gradient in of_maps.items()}
        return d_rows, d_rows, d_bias, {**of_maps, **of_events}


def _event_rows(window: Window, device: torch.device) -> Tensor | None:
    return None if window.event_rows is None else _tensor(window.event_rows, device)


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)


def _states(parts: Mapping[str, Stateful]) -> State:
    return {name: part.state() for name, part in parts.items()}


def _load_states(parts: Mapping[str, Stateful], state: State) -> None:
    for name, part in parts.items():
        part.load_state(state[name])
