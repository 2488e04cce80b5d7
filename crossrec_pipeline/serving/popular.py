"""A vocabulary in, item indexes out: the most used items, for sessions that say nothing."""

from collections.abc import Collection, Iterator
from itertools import islice

import numpy as np

from crossrec_pipeline.sessions.vocabulary import Vocabulary


class PopularItems:
    """Lists the items with most events in train within each type, the types taken in turn.

    Parameters
    ----------
    vocabulary
        The items, with their events in train.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        best_first = np.argsort(-vocabulary.support, kind="stable")
        codes = vocabulary.type_codes[best_first]
        self._by_type = [best_first[codes == code] for code in range(len(vocabulary.types))]

    def best(
        self, top_k: int, types: tuple[int, ...] | None, excluded: Collection[int]
    ) -> list[int]:
        """List item indexes; equal support by item index.

        Parameters
        ----------
        top_k
            How many; fewer come back only when fewer pass the filters.
        types
            Codes of the types that are taken; None takes all.
        excluded
            Item indexes that are left out.
        """
        wanted = range(len(self._by_type)) if types is None else sorted(set(types))
        left_out = frozenset(excluded)
        lists: list[Iterator[int]] = [
            (item for item in self._by_type[code].tolist() if item not in left_out)
            for code in wanted
        ]
        return list(islice(_in_turn(lists), top_k))


def _in_turn(lists: list[Iterator[int]]) -> Iterator[int]:
    while lists:
        for items in list(lists):
            item = next(items, None)
            if item is None:
                lists.remove(items)
            else:
                yield item
