"""A model with written-out lists: what follows each item, by the last one of a session."""

from collections.abc import Mapping, Sequence

import numpy as np

from crossrec_pipeline.models.candidates import ListModel, Lists, Queries


class ListedByLast(ListModel):
    """Lists `after[last item]`, a mapping of items to scores, for each session."""

    def __init__(self, after: Sequence[Mapping[int, float]], floor: Sequence[float]) -> None:
        self._after = after
        self._floor = np.array(floor, dtype=np.float32)

    def floor(self) -> np.ndarray:
        return self._floor

    def lists(self, queries: Queries) -> Lists:
        rows = [self._after[int(queries.item_index[end - 1])] for end in queries.ends]
        return Lists(
            np.cumsum([0, *map(len, rows)], dtype=np.int64),
            np.array([item for row in rows for item in row], dtype=np.int32),
            np.array([score for row in rows for score in row.values()], dtype=np.float32),
        )
