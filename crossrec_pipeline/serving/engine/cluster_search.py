"""Hidden states in; items of the highest scores, from the likeliest clusters, out."""

from collections.abc import Sequence

import numpy as np

from crossrec_pipeline.models.gru4rec.session_kernels import add_products, in_panels
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.item_table import ItemTable
from crossrec_pipeline.serving.engine.search import Found, Walker


class ClusterSearch:
    """Looks at the items of some clusters, those of the highest mean score.

    It goes on from cluster to cluster until it has seen enough items that the types allow, so a
    filter costs no recall. Where that leaves a list short, it looks at all items.

    Parameters
    ----------
    table
        Of the items, in clusters.
    panels
        Which kind of panels to multiply with.
    n_seen
        Items to look at, at least.
    """

    def __init__(self, table: ItemTable, panels: str, n_seen: int) -> None:
        self.name = f"about {n_seen} items of the likeliest clusters, {panels}"
        self._walker = Walker(table, panels)
        self._n_seen = n_seen
        self._counts = np.diff(table.segments, axis=1)
        self._means = in_panels(table.centroids[:, :-1].T)
        self._mean_bias = table.centroids[:, -1]

    def best(self, hidden: np.ndarray, queries: Sequence[Query]) -> list[Found]:
        """Find each query's best items; see `ItemSearch`."""
        scores = np.tile(self._mean_bias, (len(hidden), 1))
        add_products(hidden, self._means, scores)
        return [
            self._best(hidden[row : row + 1], query, scores[row])
            for row, query in enumerate(queries)
        ]

    def _best(self, hidden: np.ndarray, query: Query, scores: np.ndarray) -> Found:
        counts = self._counts
        if query.types is not None:
            counts = counts[:, [c for c in set(query.types) if 0 <= c < counts.shape[1]]]
        likeliest = np.argsort(-scores)
        n_seen = np.cumsum(counts.sum(axis=1)[likeliest])
        n_clusters = int(np.searchsorted(n_seen, max(self._n_seen, 10 * query.top_k))) + 1
        ranges = self._walker.ranges(query.types, likeliest[:n_clusters])
        (found,) = self._walker.walk(hidden, [query], query.types, ranges)
        if len(found[0]) < query.top_k and n_clusters < len(likeliest):
            ranges = self._walker.ranges(query.types, None)
            (found,) = self._walker.walk(hidden, [query], query.types, ranges)
        return found
