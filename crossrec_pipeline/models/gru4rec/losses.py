"""Hidden states and item weights in; the mean loss of the true next items out."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from crossrec_pipeline.models.gru4rec.sampling import Candidates
from crossrec_pipeline.models.gru4rec.softmax_kernels import softmax_cross_entropy


@dataclass(frozen=True)
class Contrast:
    """What each prediction is contrasted with: `Candidates` as tensors."""

    target_column: Tensor
    log_weight: Tensor
    copies: Tensor
    own_row: Tensor
    own_column: Tensor
    loss_shift: float

    def within_types(self, types: Tensor) -> Iterator[tuple[Tensor, Tensor, "Contrast"]]:
        """Cut into contrasts of the candidates of one type, for the targets of that type.

        Parameters
        ----------
        types
            Type of each candidate, int64 [C].

        Yields
        ------
        rows, columns, contrast
            Predictions and candidates that take part, int64; what is contrasted among them.
        """
        target_types = types[self.target_column]
        for code in target_types.unique():
            rows = (target_types == code).nonzero().squeeze(1)
            columns = (types == code).nonzero().squeeze(1)
            if len(columns) < 2:
                continue  # a lone target, contrasted with nothing
            row_of = torch.full_like(target_types, -1)
            row_of[rows] = torch.arange(len(rows), device=rows.device)
            column_of = torch.full_like(types, -1)
            column_of[columns] = torch.arange(len(columns), device=rows.device)
            own_row, own_column = row_of[self.own_row], column_of[self.own_column]
            inside = (own_row >= 0) & (own_column >= 0)
            yield (
                rows,
                columns,
                Contrast(
                    column_of[self.target_column[rows]],
                    self.log_weight[columns],
                    self.copies[columns],
                    own_row[inside],
                    own_column[inside],
                    0.0,
                ),
            )

    @classmethod
    def of(cls, candidates: Candidates, device: torch.device) -> "Contrast":
        """Bring a step's candidates to a device."""
        arrays = (
            candidates.target_column,
            candidates.log_weight,
            candidates.copies,
            candidates.own_row,
            candidates.own_column,
        )
        tensors = (torch.from_numpy(array).to(device) for array in arrays)
        return cls(*tensors, loss_shift=candidates.loss_shift)

    @classmethod
    def of_all_items(cls, bias: Tensor) -> "Contrast":
        """Contrast with all items, of these biases, float [n_items]; targets are to be put in."""
        none = torch.empty(0, dtype=torch.int64, device=bias.device)
        return cls(none, torch.zeros_like(bias), torch.ones_like(bias), none, none, 0.0)


def cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor, contrast: Contrast) -> Tensor:
    """Softmax cross-entropy over a step's candidates, or over all items.

    Parameters
    ----------
    hidden
        Float [N, H].
    weight, bias
        Output vector and bias of each candidate, float [C, H] and [C]. Further rows of `weight`
        have no part in the loss.
    contrast
        `copies` has no part in it; they are in `log_weight`.

    Returns
    -------
    Tensor
        Mean over the predictions, float []. With few candidates it is smaller than with all.
    """
    bias = bias + contrast.log_weight
    scores = torch.addmm(bias, hidden, weight[: len(bias)].t())
    scores = _without(scores, contrast, -torch.inf)
    return functional.cross_entropy(scores, contrast.target_column) + contrast.loss_shift


def bpr_max(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    contrast: Contrast,
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
    contrast
        One copy of its target is not a negative of a prediction.
    regularisation
        λ.
    elu_alpha
        See `GRU4RecConfig`.

    Returns
    -------
    Tensor
        Mean over the predictions, float [].
    """
    column, copies = contrast.target_column, contrast.copies
    scores = torch.addmm(bias, hidden, weight[: len(bias)].t()).to(bias.dtype)
    if elu_alpha:
        scores = functional.elu(scores, elu_alpha)
    negatives = copies.expand_as(scores).scatter_add(
        1, column[:, None], -copies.new_ones(len(hidden), 1)
    )
    negatives = _without(negatives, contrast, 0.0)
    if not bool((negatives > 0).any(dim=1).all()):
        return 0 * scores.sum()  # lone targets, contrasted with nothing
    log_softmax = torch.log_softmax(scores + negatives.log(), dim=1)
    margin = scores.gather(1, column[:, None]) - scores
    log_likelihood = torch.logsumexp(log_softmax + functional.logsigmoid(margin), dim=1)
    penalty = (log_softmax.exp() * scores.square()).sum(dim=1)
    return (regularisation * penalty - log_likelihood).mean()


def _without(cells: Tensor, contrast: Contrast, value: float) -> Tensor:
    """Put a value where a prediction and a candidate do not compete, [N, C]."""
    if len(contrast.own_row) == 0:
        return cells
    return cells.index_put((contrast.own_row, contrast.own_column), cells.new_tensor(value))


def cross_entropy_gradients(
    hidden: Tensor, weight: Tensor, bias: Tensor, contrast: Contrast
) -> tuple[float, Tensor, Tensor, Tensor]:
    """Take cross-entropy over candidates and its gradients at once, with kernels.

    The scores are turned into their gradient where they are: no second array of their size is
    made, and they are passed over three times in place of ten.

    Parameters
    ----------
    hidden, weight, bias, contrast
        As in `cross_entropy`.

    Returns
    -------
    loss, d_hidden, d_weight, d_bias
        Mean over the predictions; gradients of the same shapes, zero in further rows of `weight`.
    """
    n_candidates = len(bias)
    candidates = weight[:n_candidates]
    scores = hidden @ candidates.t()
    if len(contrast.own_row):
        scores[contrast.own_row, contrast.own_column] = -torch.inf
    d_bias = torch.empty_like(bias)
    loss = softmax_cross_entropy(
        scores.numpy(),
        (bias + contrast.log_weight).numpy(),
        contrast.target_column.numpy(),
        d_bias.numpy(),
    )
    d_weight = torch.empty_like(weight)
    torch.mm(scores.t(), hidden, out=d_weight[:n_candidates])
    d_weight[n_candidates:] = 0
    return loss + contrast.loss_shift, scores @ candidates, d_weight, d_bias


def within_type_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, contrast: Contrast, types: Tensor
) -> Tensor:
    """Softmax cross-entropy over the candidates of each target's own type.

    Parameters
    ----------
    hidden, weight, bias, contrast
        As in `cross_entropy`.
    types
        Type of each candidate, int64 [C].

    Returns
    -------
    Tensor
        Mean over all predictions, float []; one that is alone in its type counts as 0.
    """
    total = hidden.new_zeros(())
    for rows, columns, its_contrast in contrast.within_types(types):
        loss = cross_entropy(hidden[rows], weight[columns], bias[columns], its_contrast)
        total = total + loss * (len(rows) / len(hidden))
    return total


def add_within_type_gradients(
    hidden: Tensor,
    read: tuple[Tensor, Tensor],
    contrast: Contrast,
    types: Tensor,
    share: float,
    gradients: tuple[Tensor, Tensor, Tensor],
) -> float:
    """Add the gradients of `within_type_cross_entropy` to those of another loss, with kernels.

    Parameters
    ----------
    hidden, contrast, types
        As there.
    read
        Its `weight` and `bias`.
    share
        What the loss is multiplied by.
    gradients
        Of `hidden`, `weight` and `bias`, changed in place.

    Returns
    -------
    float
        The loss, multiplied by the share.
    """
    weight, bias = read
    d_hidden, d_weight, d_bias = gradients
    total = 0.0
    for rows, columns, its_contrast in contrast.within_types(types):
        factor = share * len(rows) / len(hidden)
        loss, d_its_hidden, d_its_weight, d_its_bias = cross_entropy_gradients(
            hidden[rows], weight[columns], bias[columns], its_contrast
        )
        total += factor * loss
        d_hidden.index_add_(0, rows, d_its_hidden, alpha=factor)
        d_weight.index_add_(0, columns, d_its_weight, alpha=factor)
        d_bias.index_add_(0, columns, d_its_bias, alpha=factor)
    return total
