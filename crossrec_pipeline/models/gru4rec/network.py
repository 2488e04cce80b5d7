"""Item indexes of packed sessions in; hidden states and next-item scores out."""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from crossrec_pipeline.models.gru4rec.compiled import is_for_kernels
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.content import ContentMaps
from crossrec_pipeline.models.gru4rec.dropout import dropout
from crossrec_pipeline.models.gru4rec.event_inputs import EventMaps
from crossrec_pipeline.models.gru4rec.recurrence import OneHotGRU, layer_dropout, run_layers


class GRU4RecNetwork(nn.Module):
    """Embedding, GRU (and a path around it), and one output weight vector and bias an item.

    Every index from 0 to n_items - 1 is an item; none is kept for padding, because sequences come
    packed. Nothing here is trained by itself: `forward` and the tables are what the training step
    and the scorer put together.

    Parameters
    ----------
    n_items
        Size of the vocabulary.
    config
        Widths, tying, dropout and initial range.
    generator
        Source of the initial weights (on the CPU, so that they are equal on all devices).

    Attributes
    ----------
    input_embedding
        Float [n_items, E]; with one-hot input the GRU's first input matrix, [n_items, 3 H].
    output_weight
        Float [n_items, H]; the same parameter as `input_embedding` when constrained.
    output_bias
        Float [n_items].
    skip
        Float [E, H], or None without a skip connection.
    content
        While it is learnt with content: what is added to the tables' rows. A network that scores
        has none; see `folded`.
    events
        While it is learnt with event inputs: what is added to the input vectors of events. A
        network that scores has none; see `fold_means`.
    """

    def __init__(self, n_items: int, config: GRU4RecConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.content: ContentMaps | None = None
        self.events: EventMaps | None = None
        self.n_items = n_items
        self.n_layers = config.n_layers
        self.hidden_size = config.hidden_size
        one_hot = config.embedding == "none"
        self.dropout_embedding = 0.0 if one_hot else config.dropout_embedding
        self.dropout_layers = layer_dropout(config)
        in_state = config.dropout_hidden_in == "state"
        self.dropout_hidden = 0.0 if in_state else config.dropout_hidden
        self.input_embedding = nn.Parameter(torch.empty(n_items, config.input_width))
        self.gru = (
            OneHotGRU(config.hidden_size, config.n_layers)
            if one_hot
            else nn.GRU(config.input_width, config.hidden_size, config.n_layers)
        )
        self.skip = (
            nn.Parameter(torch.empty(config.input_width, config.hidden_size))
            if config.skip_connection
            else None
        )
        self.output_weight = (
            self.input_embedding
            if config.embedding == "constrained"
            else nn.Parameter(torch.empty(n_items, config.hidden_size))
        )
        self.output_bias = nn.Parameter(torch.empty(n_items))
        self._initialise(config, generator)

    @torch.no_grad()
    def _initialise(self, config: GRU4RecConfig, generator: torch.Generator) -> None:
        """Fill matrices at random (Glorot and Bengio 2010); biases and the skip are zero."""
        for name, parameter in self.named_parameters():
            if parameter.ndim == 1 or parameter is self.skip:
                parameter.zero_()
                continue
            sides = list(parameter.shape)
            if config.init_matrices == "by-gate":
                if name.startswith("gru."):
                    sides[0] //= 3
                elif config.embedding == "none" and parameter is self.input_embedding:
                    sides[1] //= 3
            extent = config.init_range or math.sqrt(6 / sum(sides))
            if config.init_distribution == "normal":
                parameter.normal_(0, extent, generator=generator)
            else:
                parameter.uniform_(-extent, extent, generator=generator)

    @property
    def tied(self) -> bool:
        """Whether input and output share their vectors."""
        return self.output_weight is self.input_embedding

    def state_parameters(self) -> dict[str, nn.Parameter]:
        """Return the parameters that make states of vectors: GRU and skip connection."""
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name.startswith("gru.") or name == "skip"
        }

    def shared_parameters(self) -> dict[str, nn.Parameter]:
        """Return the parameters that are not rows of items: every step moves all of them."""
        of_maps = {
            name: parameter
            for name, parameter in self.named_parameters()
            if name.startswith(("content.", "events."))
        }
        return {**self.state_parameters(), **of_maps}

    def initial_state(self, n_sequences: int) -> Tensor:
        """Return the state before a session's first event: zeros [n_layers, S, H]."""
        return self.output_bias.new_zeros(self.n_layers, n_sequences, self.hidden_size)

    def forward(self, vectors: Tensor, batch_sizes: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run the GRU over packed sequences of input vectors.

        Parameters
        ----------
        vectors
            Rows of `input_embedding` in packed order, float [N, E].
        batch_sizes
            Sequences alive at each time step, int64 [T], on the CPU.
        state
            State each sequence begins with, float [n_layers, S, H].

        Returns
        -------
        hidden, last_state
            Top layer's state after each event, plus the skip connection, in packed order, float
            [N, H]: what items are scored by. Each sequence's last state, float [n_layers, S, H].
            Dropout applies to the first, in training mode.
        """
        if self.training:
            vectors = dropout(vectors, self.dropout_embedding)
        drops_states = self.training and any(self.dropout_layers)
        # Torch's own GRU is faster where nothing is learnt, and on a GPU.
        learns_here = torch.is_grad_enabled() and is_for_kernels(vectors)
        if isinstance(self.gru, nn.GRU) and not (drops_states or learns_here):
            packed, last_state = self.gru(PackedSequence(vectors, batch_sizes), state)
            hidden = packed.data
        else:
            shares = self.dropout_layers if self.training else [0.0] * self.n_layers
            hidden, last_state = run_layers(self.gru, vectors, batch_sizes, state, shares)
        if self.skip is not None:
            hidden = torch.addmm(hidden, vectors, self.skip)
        if self.training:
            hidden = dropout(hidden, self.dropout_hidden)
        return hidden, last_state

    def scores(self, hidden: Tensor) -> Tensor:
        """Score every item as the next one, float [N, H] → [N, n_items]."""
        return torch.addmm(self.output_bias, hidden, self.output_weight.t())


@torch.no_grad()
def folded(network: GRU4RecNetwork, config: GRU4RecConfig) -> GRU4RecNetwork:
    """Return a network that scores alike without content, whose tables hold what it adds.

    Parameters
    ----------
    network
        As it is learnt; its GRU is shared with the result.
    config
        With which it is learnt.

    Returns
    -------
    GRU4RecNetwork
        The network itself where there is no content; of ``config.folded()`` else.
    """
    maps = network.content
    if maps is None:
        return network
    device = network.output_bias.device
    items = torch.arange(network.n_items, device=device)
    added, vectors, bias = maps.added(items), network.input_embedding, network.output_bias
    if added is not None:
        vectors, bias = vectors + added[:, :-1], bias + added[:, -1]
    with torch.random.fork_rng(devices=[]):
        whole = GRU4RecNetwork(0, config.folded(), torch.Generator())
    whole.n_items = network.n_items
    whole.gru, whole.skip = network.gru, network.skip
    whole.input_embedding = nn.Parameter(vectors.clone())
    whole.output_weight = (
        whole.input_embedding if config.tied else nn.Parameter(maps.adapted(vectors, items))
    )
    whole.output_bias = nn.Parameter(bias.clone())
    return whole.train(network.training)
