"""Lists of scored items in; ranks of items among all, without the scores of all written out."""

import numpy as np

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.candidates import Lists
from crossrec_pipeline.models.inner_product.counts import NOT_A_NUMBER


class ListCounter:
    """Counts the items that score at least as high as given ones.

    Of all items, those whose floor is high enough are found in the sorted floor; the listed ones
    are then taken out and counted again by their listed score. The work is that of the lists, not
    that of the vocabulary.

    Parameters
    ----------
    floor
        Score of each item where no list names it, float32 [n_items].
    group
        Group of each item, int [n_items], from 0.

    Raises
    ------
    EvaluationError
        If a floor is not a number.
    """

    def __init__(self, floor: np.ndarray, group: np.ndarray) -> None:
        if np.isnan(floor).any():
            raise EvaluationError(NOT_A_NUMBER)
        self._floor = floor
        self._group = group.astype(np.int64)
        self._sorted = np.sort(floor)
        by_group = np.lexsort((floor, group))
        self._sorted_by_group = floor[by_group]
        n_of_group = np.bincount(self._group, minlength=1)
        self._group_offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(n_of_group)])
        # Where each item stands in the present row's list, by the row that wrote it there.
        self._place = np.zeros(len(floor), dtype=np.int64)
        self._row_of_place = np.full(len(floor), -1, dtype=np.int64)

    def ranks(
        self, lists: Lists, ranked: np.ndarray, n_ranked: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank several items under each list.

        Parameters
        ----------
        lists
            Of [Q] queries.
        ranked
            Items to rank, query after query, flat int.
        n_ranked
            How many for each query (at least one), int64 [Q].

        Returns
        -------
        ranks, within_group
            Ranks shaped as `ranked`; rank of each query's first item in its group, int64 [Q].

        Raises
        ------
        EvaluationError
            If a score is not a number, or a list names an item twice or one that is unknown.
        """
        if np.isnan(lists.scores).any():
            raise EvaluationError(NOT_A_NUMBER)
        if len(lists.items) and not 0 <= lists.items.min() <= lists.items.max() < len(self._floor):
            raise EvaluationError(
                f"A list names an item outside 0 … {len(self._floor) - 1}. Rank with the "
                "vocabulary that the model was trained with."
            )
        ranks = np.zeros(len(ranked), dtype=np.int64)
        within = np.zeros(len(n_ranked), dtype=np.int64)
        self._row_of_place[:] = -1
        twice = _count(
            lists.offsets,
            lists.items,
            lists.scores,
            ranked,
            n_ranked,
            self._floor,
            self._group,
            self._sorted,
            self._sorted_by_group,
            self._group_offsets,
            self._place,
            self._row_of_place,
            ranks,
            within,
        )
        if twice >= 0:
            raise EvaluationError(
                f"A list names item {twice} twice. A model must list each item once."
            )
        return ranks, within


@kernel()
def _count(
    offsets: np.ndarray,
    items: np.ndarray,
    scores: np.ndarray,
    ranked: np.ndarray,
    n_ranked: np.ndarray,
    floor: np.ndarray,
    group: np.ndarray,
    sorted_floor: np.ndarray,
    sorted_by_group: np.ndarray,
    group_offsets: np.ndarray,
    place: np.ndarray,
    row_of_place: np.ndarray,
    ranks: np.ndarray,
    within: np.ndarray,
) -> int:
    """Fill ranks and within; return an item that a list names twice, or -1."""
    at = 0
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        for entry in range(begin, end):
            if row_of_place[items[entry]] == row:
                return items[entry]
            row_of_place[items[entry]] = row
            place[items[entry]] = entry
        for j in range(n_ranked[row]):
            item = ranked[at]
            listed = row_of_place[item] == row
            score = scores[place[item]] if listed else floor[item]
            higher = len(floor) - np.searchsorted(sorted_floor, score)
            for entry in range(begin, end):
                higher += scores[entry] >= score
                higher -= floor[items[entry]] >= score
            ranks[at] = higher
            if j == 0:
                first, last = group_offsets[group[item]], group_offsets[group[item] + 1]
                alike = last - first - np.searchsorted(sorted_by_group[first:last], score)
                for entry in range(begin, end):
                    if group[items[entry]] == group[item]:
                        alike += scores[entry] >= score
                        alike -= floor[items[entry]] >= score
                within[row] = alike
            at += 1
    return -1
