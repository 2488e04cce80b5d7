"""Input vectors of packed sequences in; the states of a GRU's layers after each event out."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from crossrec_pipeline.models.gru4rec.compiled import is_for_kernels
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.dropout import kept as draw_kept
from crossrec_pipeline.models.gru4rec.gate_kernels import gates_backward, gates_forward


class OneHotGRU(nn.Module):
    """Weights of a GRU whose first input matrix is a table of items, kept elsewhere.

    The parameters have the names of `torch.nn.GRU`'s, but for `weight_ih_l0`, which is missing.
    """

    def __init__(self, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        for layer in range(num_layers):
            shapes = {
                "weight_ih": (3 * hidden_size, hidden_size),
                "weight_hh": (3 * hidden_size, hidden_size),
                "bias_ih": (3 * hidden_size,),
                "bias_hh": (3 * hidden_size,),
            }
            if layer == 0:
                del shapes["weight_ih"]
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(torch.empty(shape)))


def run_layers(
    gru: nn.Module, vectors: Tensor, batch_sizes: Tensor, state: Tensor, dropout: list[float]
) -> tuple[Tensor, Tensor]:
    """Run a GRU layer by layer.

    Parameters
    ----------
    gru
        A `torch.nn.GRU` or a `OneHotGRU`.
    vectors
        Input vectors in packed order, float [N, E]; of a `OneHotGRU`, each item's part of the
        gates, [N, 3 H].
    batch_sizes
        Sequences alive at each time step, int64 [T], on the CPU.
    state
        State each sequence begins with, float [layers, S, H].
    dropout
        Share of the cells of each layer's state that is dropped, for the next event as well.

    Returns
    -------
    hidden, last_state
        Top layer's states in packed order, float [N, H]; each sequence's last state, float
        [layers, S, H].
    """
    sizes = batch_sizes.tolist()
    hidden, last_states = vectors, []
    for layer, share in enumerate(dropout):
        weight_hh, bias_ih, bias_hh = (
            cast("Tensor", getattr(gru, f"{name}_l{layer}"))
            for name in ("weight_hh", "bias_ih", "bias_hh")
        )
        weight_ih = getattr(gru, f"weight_ih_l{layer}", None)
        if weight_ih is None:
            inputs = hidden + bias_ih
        else:
            inputs = torch.addmm(bias_ih, hidden, weight_ih.t())
        kept = None
        if share:
            kept = draw_kept(hidden, state.shape[2], share)
        hidden, last = run_layer(inputs, sizes, state[layer], weight_hh, bias_hh, kept)
        last_states.append(last)
    return hidden, torch.stack(last_states)


def run_layer(
    inputs: Tensor,
    sizes: list[int],
    state: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    kept: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Run one layer of a GRU, event by event.

    Parameters
    ----------
    inputs
        What the events add to the reset, update and new gate, in packed order, float [N, 3 H].
    sizes
        Sequences alive at each time step, non-increasing.
    state
        State each sequence begins with, float [S, H].
    weight_hh, bias_hh
        Recurrent weights of the three gates, float [3 H, H] and [3 H].
    kept
        What each cell of each state is multiplied by, float [N, H]; None is 1.

    Returns
    -------
    hidden, last_state
        States in packed order, float [N, H]; each sequence's last one, float [S, H].
    """
    if is_for_kernels(inputs) and not state.requires_grad:
        return _CompiledLayer.apply(inputs, sizes, state, weight_hh, bias_hh, kept)  # type: ignore[return-value]
    states, last, begin, size_before = [], [], 0, len(state)
    for size in sizes:
        events = slice(begin, begin + size)
        last.append(state[size:size_before])
        before = state[:size]
        recurrent = torch.addmm(bias_hh, before, weight_hh.t())
        reset_in, update_in, new_in = inputs[events].chunk(3, dim=1)
        reset_re, update_re, new_re = recurrent.chunk(3, dim=1)
        reset, update = torch.sigmoid(reset_in + reset_re), torch.sigmoid(update_in + update_re)
        new = torch.tanh(new_in + reset * new_re)
        state = new + update * (before - new)
        if kept is not None:
            state = state * kept[events]
        states.append(state)
        begin, size_before = begin + size, size
    # Sequences come longest first: those that end last are the first rows.
    return torch.cat(states), torch.cat([state, *reversed(last)])


def layer_dropout(config: GRU4RecConfig) -> list[float]:
    """Share dropped from each layer's state, while training."""
    if config.dropout_hidden_in == "output":
        return [0.0] * config.n_layers
    first = config.dropout_embedding if config.embedding == "none" else config.dropout_hidden
    return [first, *[config.dropout_hidden] * (config.n_layers - 1)]


@dataclass(frozen=True)
class LayerRun:
    """One layer's run over packed sequences, with what its gradient is made of.

    Attributes
    ----------
    hidden, last
        States in packed order, float [N, H]; each sequence's last one, float [S, H].
    before, recurrent, gates
        The state before each event, float [N, H], what it adds to the gates, and the gates, float
        [N, 3 H].
    sizes, kept
        As given.
    """

    hidden: Tensor
    last: Tensor
    before: Tensor
    recurrent: Tensor
    gates: Tensor
    sizes: list[int]
    kept: Tensor | None


def forward_layer(
    inputs: Tensor,
    sizes: list[int],
    state: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    kept: Tensor | None,
) -> LayerRun:
    """Do as `run_layer`, with kernels and without a graph."""
    recurrent, gates = torch.empty_like(inputs), torch.empty_like(inputs)
    before = inputs.new_empty(len(inputs), state.shape[1])
    hidden, last = torch.empty_like(before), state.clone()
    arrays = [x.numpy() for x in (inputs, recurrent, before, gates, hidden)]
    begin = 0
    for size in sizes:
        now = slice(begin, begin + size)
        before[now] = last[:size]
        torch.addmm(bias_hh, before[now], weight_hh.t(), out=recurrent[now])
        gates_forward(*(array[now] for array in arrays))
        if kept is not None:
            hidden[now] *= kept[now]
        last[:size] = hidden[now]
        begin += size
    return LayerRun(hidden, last, before, recurrent, gates, sizes, kept)


def backward_layer(
    run: LayerRun, d_hidden: Tensor, weight_hh: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Take the gradient of a layer's states, and with it that of what they were made of.

    The states before the first events have none: gradients end with the window.

    Parameters
    ----------
    run
        What `forward_layer` gave.
    d_hidden
        Gradient of `run.hidden`, float [N, H]; it is changed.
    weight_hh
        As given to `forward_layer`.

    Returns
    -------
    d_inputs, d_weight_hh, d_bias_hh
        Float [N, 3 H], [3 H, H] and [3 H].
    """
    d_inputs, d_recurrent = torch.empty_like(run.gates), torch.empty_like(run.gates)
    d_before = torch.empty_like(run.before)
    tensors = (d_hidden, run.recurrent, run.before, run.gates, d_inputs, d_recurrent, d_before)
    arrays = [x.numpy() for x in tensors]
    end, later = len(run.gates), 0
    for size in reversed(run.sizes):
        now = slice(end - size, end)
        if later:  # what the states of this time step did to those of the next
            after = slice(end, end + later)
            d_before[after].addmm_(d_recurrent[after], weight_hh)
            d_hidden[end - size : end - size + later] += d_before[after]
        if run.kept is not None:
            d_hidden[now] *= run.kept[now]
        gates_backward(*(array[now] for array in arrays))
        end, later = end - size, size
    return d_inputs, d_recurrent.t() @ run.before, d_recurrent.sum(dim=0)


class _CompiledLayer(torch.autograd.Function):
    """`forward_layer` and `backward_layer` as part of a graph."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        sizes: list[int],
        state: Tensor,
        weight_hh: Tensor,
        bias_hh: Tensor,
        kept: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        run = forward_layer(inputs.contiguous(), sizes, state, weight_hh, bias_hh, kept)
        ctx.save_for_backward(weight_hh)
        ctx.run = run
        ctx.mark_non_differentiable(run.last)
        return run.hidden, run.last

    @staticmethod
    def backward(ctx: Any, d_hidden: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (weight_hh,) = ctx.saved_tensors
        own = d_hidden.clone(memory_format=torch.contiguous_format)
        d_inputs, d_weight_hh, d_bias_hh = backward_layer(ctx.run, own, weight_hh)
        return d_inputs, None, None, d_weight_hh, d_bias_hh, None
