"""Vectors in; the best items of each row out, with what makes probabilities of their scores."""

import torch
from torch import Tensor

from crossrec_pipeline.models.inner_product.factors import ItemFactors

_SCORES_AT_ONCE = 1 << 24
"""64 MB of float32."""


@torch.no_grad()
def top_items(factors: ItemFactors, hidden: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the `k` items of the highest scores of each row.

    Parameters
    ----------
    factors
        Of all items.
    hidden
        Float [R, H], of the items' type and on their device.
    k
        How many; all items where there are fewer.

    Returns
    -------
    items, scores, log_total
        int64 [R, k] and float [R, k], best first (equal scores in no order); logarithm of the sum
        of exp(score) over all items, float [R].
    """
    n_items = len(factors.bias)
    k = min(k, n_items)
    n_rows = max(1, _SCORES_AT_ONCE // n_items)
    parts = [(hidden.new_zeros((0, k), dtype=torch.int64), hidden.new_zeros((0, k)), hidden[:0, 0])]
    for begin in range(0, len(hidden), n_rows):
        scores = torch.addmm(factors.bias, hidden[begin : begin + n_rows], factors.weight.t())
        values, items = scores.topk(k, dim=1)
        parts.append((items, values, scores.logsumexp(dim=1)))
    items, values, log_total = (torch.cat(column) for column in zip(*parts, strict=True))
    return items, values, log_total
