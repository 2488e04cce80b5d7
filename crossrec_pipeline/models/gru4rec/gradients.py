"""The weights that a step reads in; its loss and their gradients out."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.compiled import is_for_kernels
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.dropout import kept as draw_kept
from crossrec_pipeline.models.gru4rec.losses import (
    Contrast,
    add_within_type_gradients,
    bpr_max,
    cross_entropy,
    cross_entropy_gradients,
    within_type_cross_entropy,
)
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.precision import Precision
from crossrec_pipeline.models.gru4rec.recurrence import LayerRun, backward_layer, forward_layer


@dataclass(frozen=True)
class ReadWeights:
    """What a step reads of the tables of items, outside of any graph.

    Attributes
    ----------
    vectors
        Input vector of each event in packed order, float [N, E].
    weight, bias
        Output vector and bias of each candidate, float [C, H] and [C]; `weight` may have further
        rows, whose gradient is zero.
    types
        Type of each candidate, int64 [C]; None where they need not be told apart.
    """

    vectors: Tensor
    weight: Tensor
    bias: Tensor
    types: Tensor | None = None


@dataclass(frozen=True)
class Gradients:
    """Gradients of what `ReadWeights` has, and of `GRU4RecNetwork.state_parameters`."""

    vectors: Tensor
    weight: Tensor
    bias: Tensor
    shared: dict[str, Tensor]


@dataclass(frozen=True)
class StepResult:
    """What a step comes to.

    Attributes
    ----------
    loss
        Mean over the predictions, float [].
    last_state
        Each segment's last state, float [n_layers, S, H].
    gradients
        None if they overflowed, so that nothing is to be moved.
    """

    loss: Tensor
    last_state: Tensor
    gradients: Gradients | None


class GradientMaker:
    """Runs the network on a window and takes the gradients of the configured loss."""

    def __init__(
        self, network: GRU4RecNetwork, config: GRU4RecConfig, precision: Precision
    ) -> None:
        self._network = network
        self._config = config
        self._precision = precision
        self._shared = network.state_parameters()
        self._detached = {name: parameter.detach() for name, parameter in self._shared.items()}

    def __call__(
        self, read: ReadWeights, contrast: Contrast, batch_sizes: Tensor, state: Tensor
    ) -> StepResult:
        """Return loss, last states and gradients."""
        if self._config.loss == "cross-entropy" and is_for_kernels(read.bias):
            with torch.no_grad():
                return self._by_kernels(read, contrast, batch_sizes.tolist(), state)
        return self._by_autograd(read, contrast, batch_sizes, state)

    def _by_autograd(
        self, read: ReadWeights, contrast: Contrast, batch_sizes: Tensor, state: Tensor
    ) -> StepResult:
        leaves = [x.detach().requires_grad_() for x in (read.vectors, read.weight, read.bias)]
        vectors, weight, bias = leaves
        with self._precision.autocast():
            hidden, last_state = self._network(vectors, batch_sizes, state)
            loss = self._loss(hidden, weight, bias, contrast)
            if read.types is not None:
                within = within_type_cross_entropy(hidden, weight, bias, contrast, read.types)
                loss = loss + self._config.within_type_weight * within
        gradients = self._precision.gradients(loss, [*leaves, *self._shared.values()])
        if gradients is not None:
            shared = dict(zip(self._shared, gradients[3:], strict=True))
            gradients = Gradients(gradients[0], gradients[1], gradients[2], shared)
        return StepResult(loss.detach(), last_state.detach(), gradients)

    def _loss(self, hidden: Tensor, weight: Tensor, bias: Tensor, contrast: Contrast) -> Tensor:
        config = self._config
        if config.loss == "cross-entropy":
            return cross_entropy(hidden, weight, bias, contrast)
        penalty, elu_alpha = config.bpr_regularisation, config.elu_alpha
        return bpr_max(hidden, weight, bias, contrast, penalty, elu_alpha)

    def _by_kernels(
        self, read: ReadWeights, contrast: Contrast, sizes: list[int], state: Tensor
    ) -> StepResult:
        """Do as `_by_autograd` does with `GRU4RecNetwork.forward`, the gradients written out.

        On small steps a graph costs as much time as the arithmetic.
        """
        network, shared = self._network, self._detached
        vectors, kept_vectors = _drop(read.vectors, network.dropout_embedding)
        layers = [
            {part: shared.get(f"gru.{part}_l{layer}") for part in _LAYER_PARTS}
            for layer in range(network.n_layers)
        ]
        run_inputs, runs = [vectors], list[LayerRun]()
        for layer, share, before in zip(layers, network.dropout_layers, state, strict=True):
            weight_ih, weight_hh, bias_ih, bias_hh = (
                cast("Tensor", layer[part]) for part in _LAYER_PARTS
            )
            x = run_inputs[-1]
            inputs = x + bias_ih if weight_ih is None else torch.addmm(bias_ih, x, weight_ih.t())
            kept = draw_kept(x, network.hidden_size, share) if share else None
            runs.append(forward_layer(inputs, sizes, before, weight_hh, bias_hh, kept))
            run_inputs.append(runs[-1].hidden)
        hidden, skip = runs[-1].hidden, shared.get("skip")
        if skip is not None:
            hidden = torch.addmm(hidden, vectors, skip)
        hidden, kept_hidden = _drop(hidden, network.dropout_hidden)

        loss, d_hidden, d_weight, d_bias = cross_entropy_gradients(
            hidden, read.weight, read.bias, contrast
        )
        if read.types is not None:
            loss += add_within_type_gradients(
                hidden,
                (read.weight, read.bias),
                contrast,
                read.types,
                self._config.within_type_weight,
                (d_hidden, d_weight, d_bias),
            )

        d_shared: dict[str, Tensor] = {}
        if kept_hidden is not None:
            d_hidden *= kept_hidden
        d_skipped = None
        if skip is not None:
            d_shared["skip"] = vectors.t() @ d_hidden
            d_skipped = d_hidden @ skip.t()
        for number in reversed(range(network.n_layers)):
            weight_ih, weight_hh = layers[number]["weight_ih"], layers[number]["weight_hh"]
            d_inputs, d_weight_hh, d_bias_hh = backward_layer(
                runs[number], d_hidden, cast("Tensor", weight_hh)
            )
            d_shared[f"gru.weight_hh_l{number}"] = d_weight_hh
            d_shared[f"gru.bias_hh_l{number}"] = d_bias_hh
            d_shared[f"gru.bias_ih_l{number}"] = d_inputs.sum(dim=0)
            d_hidden = d_inputs
            if weight_ih is not None:
                d_shared[f"gru.weight_ih_l{number}"] = d_inputs.t() @ run_inputs[number]
                d_hidden = d_inputs @ weight_ih
        d_vectors = d_hidden
        if d_skipped is not None:
            d_vectors += d_skipped
        if kept_vectors is not None:
            d_vectors *= kept_vectors
        return StepResult(
            torch.full((), loss),
            torch.stack([run.last for run in runs]),
            Gradients(d_vectors, d_weight, d_bias, {name: d_shared[name] for name in self._shared}),
        )


_LAYER_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _drop(cells: Tensor, share: float) -> tuple[Tensor, Tensor | None]:
    """Return the cells after dropout, and what they were multiplied by, if anything."""
    if share == 0:
        return cells, None
    kept = draw_kept(cells, cells.shape[1], share)
    return cells * kept, kept
