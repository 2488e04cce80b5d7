"""Sessions in; the hidden state after each of their events out, each session run once."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.batches import packed_order
from crossrec_pipeline.models.gru4rec.event_inputs import EventReading
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.sessions.store import SessionStore

BLOCK_EVENTS = 16_384
"""Events whose hidden states are held at once (one whole session at the least)."""

BLOCK_SCORES = 16_000_000
"""Scores that are held at once: 64 MB of float32 (one row at the least)."""


@torch.no_grad()
def prediction_states(
    network: GRU4RecNetwork, store: SessionStore, reading: EventReading | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, Tensor]]:
    """Run whole sessions, longest first, in blocks of about `BLOCK_EVENTS` events.

    Call it on a network in evaluation mode.

    Parameters
    ----------
    network, store
        What runs, and over which sessions.
    reading
        What is known of the store's events and added to their input vectors; None for nothing.

    Yields
    ------
    session, position, target, hidden
        For every event after its session's first: session number, position from 1 and item index,
        int64 [P] each, and the state after the events before it, float [P, H] on the network's
        device.
    """
    device = network.output_bias.device
    order = np.argsort(-store.lengths, kind="stable")
    order = order[store.lengths[order] >= 2]
    n_predictions = np.cumsum(store.lengths[order] - 1)
    begin = 0
    while begin < len(order):
        done = n_predictions[begin - 1] if begin else 0
        end = int(np.searchsorted(n_predictions, done + BLOCK_EVENTS, side="right"))
        sessions = order[begin : max(end, begin + 1)]
        begin += len(sessions)

        events, batch_sizes = packed_order(store.offsets[sessions], store.lengths[sessions] - 1)
        inputs = torch.from_numpy(np.asarray(store.item_index[events], dtype=np.int64)).to(device)
        vectors = network.input_embedding.index_select(0, inputs)
        if reading is not None:
            vectors += reading(events)
        hidden, _ = network(
            vectors, torch.from_numpy(batch_sizes), network.initial_state(len(sessions))
        )
        session = np.concatenate([sessions[:alive] for alive in batch_sizes])
        position = np.repeat(np.arange(1, len(batch_sizes) + 1), batch_sizes)
        target = np.asarray(store.item_index[events + 1], dtype=np.int64)
        yield session, position, target, hidden


@torch.no_grad()
def last_states(network: GRU4RecNetwork, sessions: Sequence[np.ndarray]) -> Tensor:
    """Return the state after each session's last event, float [B, H].

    Call it on a network in evaluation mode, with at least one session and no empty one.
    """
    device = network.output_bias.device
    lengths = np.array([len(session) for session in sessions])
    longest_first = np.argsort(-lengths, kind="stable")
    begins = np.cumsum(lengths) - lengths
    events, batch_sizes = packed_order(begins[longest_first], lengths[longest_first])
    inputs = torch.from_numpy(np.concatenate(sessions).astype(np.int64)[events]).to(device)
    hidden, _ = network(
        network.input_embedding.index_select(0, inputs),
        torch.from_numpy(batch_sizes),
        network.initial_state(len(sessions)),
    )
    # Where in packed order each session's last event is, by session as given.
    last_event = np.cumsum(lengths) - 1
    packed_position = np.empty(len(events), dtype=np.int64)
    packed_position[events] = np.arange(len(events))
    return hidden.index_select(0, torch.from_numpy(packed_position[last_event]).to(device))


def score_blocks(hidden: Tensor, n_items: int) -> Iterator[slice]:
    """Cut rows of hidden states so that no block has more than about `BLOCK_SCORES` scores."""
    n_rows = max(1, BLOCK_SCORES // n_items)
    for begin in range(0, len(hidden), n_rows):
        yield slice(begin, min(begin + n_rows, len(hidden)))
