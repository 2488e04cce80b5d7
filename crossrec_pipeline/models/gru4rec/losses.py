"""Hidden states and item weights in; the mean loss of the true next items out."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from crossrec_pipeline.models.gru4rec.compiled import is_for_kernels
from crossrec_pipeline.models.gru4rec.softmax_kernels import softmax_cross_entropy


def cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    target_column: Tensor,
    log_weight: Tensor,
    loss_shift: float,
) -> Tensor:
    """Softmax cross-entropy over a step's candidates, or over all items.

    Parameters
    ----------
    hidden
        Float [N, H].
    weight, bias
        Output vector and bias of each candidate, float [C, H] and [C]. Further rows of `weight`
        have no part in the loss.
    target_column, log_weight, loss_shift
        See `Candidates`, int64 [N] and float [C].

    Returns
    -------
    Tensor
        Mean over the predictions, float []. With few candidates it is smaller than with all.
    """
    bias = bias + log_weight
    if is_for_kernels(hidden):
        loss = _CompiledCrossEntropy.apply(hidden, weight, bias, target_column)
        return cast("Tensor", loss) + loss_shift
    scores = torch.addmm(bias, hidden, weight[: len(bias)].t())
    return functional.cross_entropy(scores, target_column) + loss_shift


def bpr_max(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    target_column: Tensor,
    copies: Tensor,
    regularisation: float,
    elu_alpha: float,
) -> Tensor:
    """BPR-max (Hidasi and Karatzoglou 2018, section 3.2).

    With target score r_i and negatives' scores r_j, and w_j the softmax of the latter:
    -log Σ w_j σ(r_i - r_j) + λ Σ w_j r_j².

    Parameters
    ----------
    hidden
        Float [N, H].
    weight, bias
        Output vector and bias of each candidate, float [C, H] and [C]. Further rows of `weight`
        have no part in the loss.
    target_column, copies
        See `Candidates`, int64 [N] and float [C]. One copy of its target is not a negative of a
        prediction.
    regularisation
        λ.
    elu_alpha
        See `GRU4RecConfig`.

    Returns
    -------
    Tensor
        Mean over the predictions, float [].
    """
    scores = torch.addmm(bias, hidden, weight[: len(bias)].t()).to(bias.dtype)
    if elu_alpha:
        scores = functional.elu(scores, elu_alpha)
    negatives = copies.expand_as(scores).scatter_add(
        1, target_column[:, None], -copies.new_ones(len(hidden), 1)
    )
    if not float(copies.sum()) > 1:
        return 0 * scores.sum()  # a lone target, contrasted with nothing
    log_softmax = torch.log_softmax(scores + negatives.log(), dim=1)
    margin = scores.gather(1, target_column[:, None]) - scores
    log_likelihood = torch.logsumexp(log_softmax + functional.logsigmoid(margin), dim=1)
    penalty = (log_softmax.exp() * scores.square()).sum(dim=1)
    return (regularisation * penalty - log_likelihood).mean()


class _CompiledCrossEntropy(torch.autograd.Function):
    """`cross_entropy_gradients` as part of a graph."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, target_column: Tensor
    ) -> Tensor:
        loss, *ctx.gradients = cross_entropy_gradients(hidden, weight, bias, target_column)
        return hidden.new_tensor(loss)

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return *(d_loss * gradient for gradient in ctx.gradients), None


def cross_entropy_gradients(
    hidden: Tensor, weight: Tensor, bias: Tensor, target_column: Tensor
) -> tuple[float, Tensor, Tensor, Tensor]:
    """Take cross-entropy over candidates and its gradients at once, with kernels.

    The scores are turned into their gradient where they are: no second array of their size is
    made, and they are passed over three times in place of ten.

    Parameters
    ----------
    hidden, weight, bias, target_column
        As in `cross_entropy`, the bias with what is added to it.

    Returns
    -------
    loss, d_hidden, d_weight, d_bias
        Mean over the predictions; gradients of the same shapes, zero in further rows of `weight`.
    """
    n_candidates = len(bias)
    candidates = weight[:n_candidates]
    scores = hidden @ candidates.t()
    d_bias = torch.empty_like(bias)
    loss = softmax_cross_entropy(
        scores.numpy(), bias.numpy(), target_column.numpy(), d_bias.numpy()
    )
    d_weight = torch.empty_like(weight)
    torch.mm(scores.t(), hidden, out=d_weight[:n_candidates])
    d_weight[n_candidates:] = 0
    return loss, scores @ candidates, d_weight, d_bias
