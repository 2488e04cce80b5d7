"""Vectors on any device in; counts of higher and equal scores out, by torch alone."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.models.inner_product.counts import NOT_A_NUMBER, ScoreCounts
from crossrec_pipeline.models.inner_product.factors import ItemFactors

# A block's scores: 128 MB of float64.
ROWS_AT_ONCE = 1024
ITEMS_AT_ONCE = 16_384


class TorchCounter:
    """Counts where the vectors are, block by block.

    Scores are computed twice: once to take those of the ranked items from them, once to compare
    with those. How a device adds up a product depends on where in a block an item is. So products
    are added up in float64 and rounded to float32: what differs in the last bits of the former is
    the same in the latter, and equal vectors tie.

    Parameters
    ----------
    factors
        On any device.
    group
        Group of each item, int [n_items]; None is one group.
    """

    def __init__(self, factors: ItemFactors, group: np.ndarray | None = None) -> None:
        self._weight = factors.weight.detach().double()
        self._bias = factors.bias.detach().double()
        self._n_items = len(self._bias)
        groups = np.zeros(self._n_items, np.int64) if group is None else group.astype(np.int64)
        self._group = torch.from_numpy(groups).to(self._bias.device)

    @torch.no_grad()
    def count(self, hidden: Tensor, ranked: np.ndarray, n_ranked: np.ndarray) -> ScoreCounts:
        """Count for several ranked items in each row; see `ScoreCounter`."""
        higher, equal = (torch.zeros(len(ranked), dtype=torch.int64) for _ in range(2))
        within_group = torch.zeros(len(hidden), dtype=torch.int64)
        begins = torch.from_numpy(np.cumsum(n_ranked) - n_ranked)
        counts = torch.from_numpy(np.ascontiguousarray(n_ranked, dtype=np.int64))
        items = torch.from_numpy(ranked.astype(np.int64))
        # Rows with the most items first: those that have a j-th item are then a prefix.
        order = torch.argsort(counts, descending=True, stable=True)
        for begin in range(0, len(order), ROWS_AT_ONCE):
            rows = order[begin : begin + ROWS_AT_ONCE]
            places = [(begins[rows] + j)[counts[rows] > j] for j in range(int(counts[rows].max()))]
            found = self._count_rows(
                hidden[rows.to(hidden.device)],
                [items[place].to(hidden.device) for place in places],
            )
            for place, (of_higher, of_equal) in zip(places, found[0], strict=True):
                higher[place], equal[place] = of_higher.cpu(), of_equal.cpu()
            within_group[rows] = found[1].cpu()
        return ScoreCounts(higher.numpy(), equal.numpy(), within_group.numpy())

    def _count_rows(
        self, hidden: Tensor, items: list[Tensor]
    ) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        """Count for the j-th items of the first rows, [at most R] for each j."""
        scores = [hidden.new_full(item.shape, torch.nan, dtype=torch.float32) for item in items]
        for begin, block in self._score_blocks(hidden):
            for item, score in zip(items, scores, strict=True):
                here = ((item >= begin) & (item < begin + block.shape[1])).nonzero()[:, 0]
                score[here] = block[here, item[here] - begin]
        counts = [(torch.zeros_like(item), torch.zeros_like(item)) for item in items]
        within_group = torch.zeros_like(items[0])
        group = self._group[items[0]]
        undefined = torch.zeros((), dtype=torch.bool, device=hidden.device)
        for begin, block in self._score_blocks(hidden):
            undefined |= block.isnan().any()
            for score, (higher, equal) in zip(scores, counts, strict=True):
                block_of_rows = block[: len(score)]
                higher += (block_of_rows > score[:, None]).sum(dim=1)
                equal += (block_of_rows == score[:, None]).sum(dim=1)
            of_group = self._group[begin : begin + block.shape[1]] == group[:, None]
            within_group += ((block >= scores[0][:, None]) & of_group).sum(dim=1)
        if undefined:
            raise EvaluationError(NOT_A_NUMBER)
        return counts, within_group

    def _score_blocks(self, hidden: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield scores [R, C] and the first item they are of."""
        n_columns = min(ITEMS_AT_ONCE, self._n_items)
        hidden = hidden.double()
        for begin in range(0, self._n_items, n_columns):
            weight = self._weight[begin : begin + n_columns]
            bias = self._bias[begin : begin + n_columns]
            yield begin, torch.addmm(bias, hidden, weight.t()).float()
