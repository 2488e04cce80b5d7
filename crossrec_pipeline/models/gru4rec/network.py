"""Item indexes of packed sessions in; hidden states and next-item scores out."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig


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
        Float [n_items, E].
    output_weight
        Float [n_items, H]; the same parameter as `input_embedding` when constrained.
    output_bias
        Float [n_items].
    skip
        Float [E, H], or None without a skip connection.
    """

    def __init__(self, n_items: int, config: GRU4RecConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.n_items = n_items
        self.n_layers = config.n_layers
        self.hidden_size = config.hidden_size
        self.dropout_embedding = config.dropout_embedding
        self.dropout_hidden = config.dropout_hidden
        self.input_embedding = nn.Parameter(torch.empty(n_items, config.input_width))
        self.gru = nn.GRU(config.input_width, config.hidden_size, config.n_layers)
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
        self._initialise(config.init_range, generator)

    @torch.no_grad()
    def _initialise(self, init_range: float | None, generator: torch.Generator) -> None:
        """Fill matrices uniformly (Glorot and Bengio 2010); biases and the skip are zero."""
        for parameter in self.parameters():
            if parameter.ndim == 1 or parameter is self.skip:
                parameter.zero_()
            else:
                bound = init_range or math.sqrt(6 / sum(parameter.shape))
                parameter.uniform_(-bound, bound, generator=generator)

    @property
    def tied(self) -> bool:
        """Whether input and output share their vectors."""
        return self.output_weight is self.input_embedding

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that are not rows of items: every step moves all of them."""
        return [*self.gru.parameters(), *([] if self.skip is None else [self.skip])]

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
        vectors = functional.dropout(vectors, self.dropout_embedding, self.training)
        packed, last_state = self.gru(PackedSequence(vectors, batch_sizes), state)
        hidden = packed.data
        if self.skip is not None:
            hidden = torch.addmm(hidden, vectors, self.skip)
        return functional.dropout(hidden, self.dropout_hidden, self.training), last_state

    def scores(self, hidden: Tensor) -> Tensor:
        """Score every item as the next one, float [N, H] → [N, n_items]."""
        return torch.addmm(self.output_bias, hidden, self.output_weight.t())
