"""Float32 vectors on the CPU in; counts of higher and equal scores out, exact and block by block.

A matrix product, in bfloat16 where that is fast, tells nearly all items from a ranked one for
certain. Only those within its margin of error are scored again. So the counts are those of
`exact_score`, whatever the type, the blocks and the machine.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.models.inner_product.bit_masks import LANES
from crossrec_pipeline.models.inner_product.count_kernel import count_block
from crossrec_pipeline.models.inner_product.counts import NOT_A_NUMBER, ScoreCounts
from crossrec_pipeline.models.inner_product.exact import exact_scores
from crossrec_pipeline.models.inner_product.factors import ItemFactors
from crossrec_pipeline.models.inner_product.operands import (
    Rounded,
    fastest_dtype,
    greatest,
    item_operand,
    margins,
    row_operand,
    true_float32,
)

# 4 MiB of bfloat16. Fewer rows fetch the items' vectors from afar more often; more items at once
# make wider margins.
ROWS_AT_ONCE = 4096
ITEMS_AT_ONCE = 512

_INTEGERS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}


@dataclass(frozen=True)
class _Block:
    """Items that are multiplied together.

    Attributes
    ----------
    items
        Of each row of the operand, int64 [C].
    factor, weight, bias
        As `item_operand` makes them, the latter two reduced to the greatest.
    """

    items: np.ndarray
    factor: Tensor
    weight: Rounded
    bias: Rounded


class CompiledCounter:
    """Counts on the CPU; holds a copy of the items' vectors in the type it multiplies in.

    Parameters
    ----------
    factors
        Float32, on the CPU, at least one item.
    group
        Group of each item, int [n_items]; None is one group.
    dtype
        What to multiply in, bfloat16 or float32; None takes the faster.
    """

    def __init__(
        self,
        factors: ItemFactors,
        group: np.ndarray | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        weight, bias = factors.weight.detach().contiguous(), factors.bias.detach().contiguous()
        self._weight, self._bias = weight.numpy(), bias.numpy()
        self._group = np.zeros(len(weight), np.int64) if group is None else group
        self._dtype = fastest_dtype() if dtype is None else dtype
        self._blocks: list[_Block] = []
        for items in _blocks_of_alike(weight, self._group):
            chosen, n_rows = torch.from_numpy(items), -(-len(items) // LANES) * LANES
            factor, of_weight, of_bias = item_operand(
                weight[chosen], bias[chosen], n_rows, self._dtype
            )
            self._blocks.append(_Block(items, factor, greatest(of_weight), greatest(of_bias)))

    @torch.no_grad()
    @true_float32()
    def count(self, hidden: Tensor, ranked: np.ndarray, n_ranked: np.ndarray) -> ScoreCounts:
        """Count for several ranked items in each row; see `ScoreCounter`."""
        begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(n_ranked)])
        counts = ScoreCounts(
            np.zeros(begins[-1], np.int64),
            np.zeros(begins[-1], np.int64),
            np.zeros(len(hidden), np.int64),
        )
        kept = torch.empty(ROWS_AT_ONCE * ITEMS_AT_ONCE, dtype=self._dtype)
        for begin in range(0, len(hidden), ROWS_AT_ONCE):
            end = min(begin + ROWS_AT_ONCE, len(hidden))
            places = slice(begins[begin], begins[end])
            self._count_rows(
                hidden[begin:end].contiguous(),
                ranked[places].astype(np.int64),
                begins[begin : end + 1] - begins[begin],
                kept,
                ScoreCounts(
                    counts.higher[places], counts.equal[places], counts.within_group[begin:end]
                ),
            )
        return counts

    def _count_rows(
        self,
        hidden: Tensor,
        ranked: np.ndarray,
        begins: np.ndarray,
        kept: Tensor,
        counts: ScoreCounts,
    ) -> None:
        values = hidden.numpy()
        row = np.repeat(np.arange(len(hidden)), np.diff(begins))
        scores = exact_scores(values, self._weight, self._bias, row, ranked)
        undefined = bool(np.isnan(scores).any())
        group = self._group[ranked[begins[:-1]]]
        operand, rounded = row_operand(hidden, self._dtype)
        kept_bits = kept.view(_INTEGERS[self._dtype]).numpy()
        for block in self._blocks:
            shape = operand.shape[0], block.factor.shape[0]
            n_scores = shape[0] * shape[1]
            torch.mm(operand, block.factor.t(), out=kept[:n_scores].view(shape))
            undefined |= count_block(
                kept_bits[:n_scores].reshape(shape),
                32 - 8 * self._dtype.itemsize,
                margins(rounded, block.weight, block.bias, operand.shape[1]),
                values,
                self._weight,
                self._bias,
                block.items,
                begins,
                scores,
                group == self._group[block.items[0]],
                counts.higher,
                counts.equal,
                counts.within_group,
            )
        if undefined:
            raise EvaluationError(NOT_A_NUMBER)


def _blocks_of_alike(weight: Tensor, group: np.ndarray) -> list[np.ndarray]:
    """Cut the items into blocks of one group and of similar norm, int64 [C] each.

    A block's margin of error is that of its longest vector.
    """
    norm = torch.linalg.vector_norm(weight, dim=1).numpy()
    order = np.lexsort((norm, group))
    starts = np.flatnonzero(np.diff(group[order])) + 1
    return [
        items[begin : begin + ITEMS_AT_ONCE]
        for items in np.split(order, starts)
        for begin in range(0, len(items), ITEMS_AT_ONCE)
    ]
