"""Hidden states and item weights in; mean softmax cross-entropy of the true next items out."""

import torch
from torch import Tensor
from torch.nn import functional


def full_cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy over all items.

    Parameters
    ----------
    hidden
        Float [N, H].
    weight, bias
        Output vector and bias of every item, float [n_items, H] and [n_items].
    targets
        Item index of each prediction's target, int64 [N].

    Returns
    -------
    Tensor
        Mean over the predictions, float [].
    """
    return functional.cross_entropy(torch.addmm(bias, hidden, weight.t()), targets)


def sampled_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, target_column: Tensor, log_inclusion: Tensor
) -> Tensor:
    """Cross-entropy over a step's candidates, with the logQ correction.

    Given a set of candidates of which one is the target and the others came in with known
    probabilities, the posterior of which one it is, is the softmax of score - log(inclusion
    probability), for the target as for the rest (Jean et al. 2015, arXiv:1412.2007; Bengio and
    Senécal 2008). So the scores learnt are those of the full softmax, not scores that popular
    items have to make up for being drawn often.

    Parameters
    ----------
    hidden
        Float [N, H].
    weight, bias
        Output vector and bias of each candidate, float [C, H] and [C].
    target_column
        Which candidate each prediction's target is, int64 [N].
    log_inclusion
        See `Candidates`, float [C].

    Returns
    -------
    Tensor
        Mean over the predictions, float []. With few candidates it is smaller than the full one.
    """
    logits = torch.addmm(bias - log_inclusion, hidden, weight.t())
    return functional.cross_entropy(logits, target_column)
