"""Train sessions in; what they say of each item on its own out."""

from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.sessions.store import SessionStore

RECENT_SHARES = (0.02, 0.1)
"""What counts as lately: the last of train's events."""


@dataclass(frozen=True)
class TrainFacts:
    """Of each item, float32 [n_items] each.

    Attributes
    ----------
    log_support
        ln(1 + events).
    trends
        ln of how much more of its events are recent than of an average item, for each of
        `RECENT_SHARES`, [2, n_items].
    age
        Share of train's events since its last one.
    """

    log_support: np.ndarray
    trends: np.ndarray
    age: np.ndarray

    @classmethod
    def of(cls, train: SessionStore, n_items: int) -> "TrainFacts":
        """Count; the store is ordered by the sessions' start."""
        items = np.asarray(train.item_index)
        support = np.bincount(items, minlength=n_items)
        trends = []
        for share in RECENT_SHARES:
            begin = int(len(items) * (1 - share))
            recent = np.bincount(items[begin:], minlength=n_items)
            # Half an event is added to both, so that a rare item has no trend.
            trends.append(np.log((recent + 0.5) / (support * share + 0.5)))
        last = np.zeros(n_items)
        last[items] = np.arange(1, len(items) + 1)
        return cls(
            np.log1p(support).astype(np.float32),
            np.array(trends, dtype=np.float32),
            (1 - last / max(len(items), 1)).astype(np.float32),
        )

    def grown(self, n_items: int) -> "TrainFacts":
        """Add so many items that train has no event of."""
        return TrainFacts(
            np.pad(self.log_support, (0, n_items)),
            np.pad(self.trends, ((0, 0), (0, n_items))),
            np.pad(self.age, (0, n_items), constant_values=1),
        )
