"""A trained network and validation in; how much less likely an item is that content alone tells."""

import math

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.models.gru4rec.content import ContentMaps
from crossrec_pipeline.models.gru4rec.hidden_states import prediction_states, score_blocks
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.sessions.store import SessionStore

SHARE = 0.1
"""Share of the items that are taken for new."""
MOST_PREDICTIONS = 20_000
_FURTHEST = 30.0


@torch.no_grad()
def cold_bias(
    network: GRU4RecNetwork,
    maps: ContentMaps,
    validation: SessionStore,
    seed: int,
    shift: Tensor | None = None,
) -> float:
    """Find what to add to the scores of items that have nothing but content.

    Some items of the vocabulary are scored as if they were new, and the number is such that on
    validation their probabilities add up to the number of times that one of them comes next: new
    items are neither pushed nor hidden, but treated as likely as items like them have been.

    Parameters
    ----------
    network
        As it scores, `folded`.
    maps
        What content adds.
    validation
        Sessions that were not trained on.
    seed
        Decides which items are taken.
    shift
        What is common to all states and held by the biases of the known items, float [H]; see
        `fold_means`.

    Returns
    -------
    float
        In nats; 0 where content adds nothing or there is nothing to measure by.
    """
    n_items = network.n_items
    device = network.output_bias.device
    drawn = np.random.default_rng(seed).random(n_items) < SHARE
    taken = torch.from_numpy(drawn.nonzero()[0]).to(device)
    added = maps.added(taken) if len(taken) else None
    if added is None:
        return 0.0
    weight, bias = network.output_weight.clone(), network.output_bias.clone()
    weight[taken] = maps.adapted(added[:, :-1], taken)
    bias[taken] = added[:, -1]
    if shift is not None:
        bias[taken] += weight[taken] @ shift
    log_odds, n_hits, n_seen = [], 0, 0
    for _, _, target, hidden in prediction_states(network, validation):
        for rows in score_blocks(hidden, n_items):
            log_odds.append(_log_odds(torch.addmm(bias, hidden[rows], weight.t()), taken))
        n_hits += int(drawn[target].sum())
        n_seen += len(target)
        if n_seen >= MOST_PREDICTIONS:
            break
    if n_seen == 0:
        return 0.0
    # One half more, as Krichevsky and Trofimov count: never none, nor all.
    return _balance(torch.cat(log_odds).double(), (n_hits + 0.5) * n_seen / (n_seen + 1))


def _log_odds(scores: Tensor, taken: Tensor) -> Tensor:
    """Return by how much the taken items together outweigh the others, [N, n_items] → [N]."""
    among = torch.logsumexp(scores.index_select(1, taken), dim=1)
    scores.index_fill_(1, taken, -math.inf)
    return among - torch.logsumexp(scores, dim=1)


def _balance(log_odds: Tensor, expected: float) -> float:
    """Find what must be added to log odds so that their probabilities add up to a number."""
    low, high = -_FURTHEST, _FURTHEST
    for _ in range(60):
        middle = (low + high) / 2
        if float(torch.sigmoid(log_odds + middle).sum()) < expected:
            low = middle
        else:
            high = middle
    return (low + high) / 2
