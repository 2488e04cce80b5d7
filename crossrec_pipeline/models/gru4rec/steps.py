"""One window of sessions in; the network's weights moved, loss and last states out."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.batches import Window
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.losses import full_cross_entropy, sampled_cross_entropy
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.optimisers import (
    dense_optimiser,
    row_optimiser,
    set_learning_rate,
)
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler


class TrainingStep(Protocol):
    """Moves a network's weights by the gradient of one window's mean loss."""

    def __call__(
        self, window: Window, state: Tensor, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        """Return the loss, float [], and each segment's last state [n_layers, S, H], detached."""
        ...


class FullSoftmaxStep:
    """Contrasts each target with all items; every weight moves in every step."""

    def __init__(self, network: GRU4RecNetwork, config: GRU4RecConfig) -> None:
        self._network = network
        self._optimiser = dense_optimiser(network.parameters(), config)

    def __call__(
        self, window: Window, state: Tensor, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        """Train on one window."""
        network, device = self._network, state.device
        vectors = network.input_embedding.index_select(0, _tensor(window.inputs, device))
        hidden, last_state = network(vectors, torch.from_numpy(window.batch_sizes), state)
        loss = full_cross_entropy(
            hidden, network.output_weight, network.output_bias, _tensor(window.targets, device)
        )
        self._optimiser.zero_grad()
        loss.backward()
        set_learning_rate(self._optimiser, learning_rate)
        self._optimiser.step()
        return loss.detach(), last_state.detach()


class SampledSoftmaxStep:
    """Contrasts each target with a sample of items; only rows of touched items move.

    The touched rows are gathered once as leaves of the graph. Their gradients are as small as
    they are, and neither a dense nor a coalesced sparse gradient of a whole table is ever made.
    """

    def __init__(
        self, network: GRU4RecNetwork, config: GRU4RecConfig, sampler: NegativeSampler
    ) -> None:
        self._network = network
        self._sampler = sampler
        self._shared_optimiser = dense_optimiser(network.shared_parameters(), config)
        self._input_optimiser = row_optimiser(network.input_embedding.data, config)
        self._output_optimiser = (
            self._input_optimiser
            if network.tied
            else row_optimiser(network.output_weight.data, config)
        )
        self._bias_optimiser = row_optimiser(network.output_bias.data, config)

    def __call__(
        self, window: Window, state: Tensor, learning_rate: float
    ) -> tuple[Tensor, Tensor]:
        """Train on one window."""
        network, device = self._network, state.device
        candidates = self._sampler.candidates(window.targets)
        items = _tensor(candidates.items, device)
        read = np.concatenate([window.inputs, candidates.items]) if network.tied else window.inputs
        rows, row_of = np.unique(read, return_inverse=True)
        input_rows, input_row_of = _tensor(rows, device), _tensor(row_of, device)
        n_inputs = len(window.inputs)

        inputs = _leaf(network.input_embedding, input_rows)
        bias = _leaf(network.output_bias, items)
        if network.tied:
            output = inputs.index_select(0, input_row_of[n_inputs:])
        else:
            output = _leaf(network.output_weight, items)

        vectors = inputs.index_select(0, input_row_of[:n_inputs])
        hidden, last_state = network(vectors, torch.from_numpy(window.batch_sizes), state)
        loss = sampled_cross_entropy(
            hidden,
            output,
            bias,
            _tensor(candidates.target_column, device),
            _tensor(candidates.log_inclusion, device),
        )
        self._shared_optimiser.zero_grad()
        loss.backward()
        set_learning_rate(self._shared_optimiser, learning_rate)
        self._shared_optimiser.step()
        self._input_optimiser.update(input_rows, _gradient(inputs), learning_rate)
        if not network.tied:
            self._output_optimiser.update(items, _gradient(output), learning_rate)
        self._bias_optimiser.update(items, _gradient(bias), learning_rate)
        return loss.detach(), last_state.detach()


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)


def _leaf(table: Tensor, rows: Tensor) -> Tensor:
    return table.detach().index_select(0, rows).requires_grad_()


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None, "every leaf takes part in the loss"
    return leaf.grad
