"""Learnt tables of event inputs in; a network that does without them, and what they differ by, out.

Sessions are mostly given as item ids alone, in the service for one. Then each event is taken for
an average one of train: what is read where nothing is known is the mean over train's events. As
that is the same for all events, it can be a part of the biases, and the network is a plain GRU4Rec.
"""

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.event_inputs import UNKNOWN_ROW, EventMaps, EventRows
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.sessions.event_inputs import EventInputs

_EVENTS_AT_ONCE = 1_000_000


@torch.no_grad()
def fold_means(network: GRU4RecNetwork, maps: EventMaps, events: EventInputs) -> Tensor:
    """Move the mean over train's events from the tables into the biases, both in place.

    Parameters
    ----------
    network
        As it scores, with input vectors.
    maps
        What it has learnt of event inputs; afterwards rows differ from the mean by what they say,
        and the one of the unknown says nothing.
    events
        Of train.

    Returns
    -------
    Tensor
        What is added to all states through the skip connection, and therefore, times its output
        vector, to each item's bias; float [H], zeros without a skip connection.
    """
    means = [
        (count.to(table) / count.sum()).double() @ table.double()
        for table, count in zip(maps.tables, count_rows(maps, events), strict=True)
    ]
    for table, mean in zip(maps.tables, means, strict=True):
        table.sub_(mean.to(table))
        table[UNKNOWN_ROW] = 0
    common = sum(means[1:], start=means[0])
    bias = network.gru.get_parameter("bias_ih_l0")
    bias.add_((network.gru.get_parameter("weight_ih_l0").double() @ common).to(bias))
    if network.skip is None:
        return network.output_bias.new_zeros(network.hidden_size)
    shift = (common @ network.skip.double()).to(network.output_bias)
    network.output_bias.add_(network.output_weight @ shift)
    return shift


def count_rows(maps: EventMaps, events: EventInputs) -> list[Tensor]:
    """Count how many events read each row of each table, int64 [rows] each."""
    rows_of = EventRows(events, maps)
    counts = [np.zeros(len(table), dtype=np.int64) for table in maps.tables]
    n_events = len(events.gap_s)
    for begin in range(0, n_events, _EVENTS_AT_ONCE):
        rows = rows_of(np.arange(begin, min(begin + _EVENTS_AT_ONCE, n_events)))
        for count, of_part in zip(counts, rows, strict=True):
            count += np.bincount(of_part, minlength=len(count))
    return [
        torch.from_numpy(count).to(table.device)
        for count, table in zip(counts, maps.tables, strict=True)
    ]
