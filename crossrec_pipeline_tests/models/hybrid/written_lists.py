"""Lists and models that are written out, for tests of the hybrid."""

from collections.abc import Mapping

import numpy as np

from crossrec_pipeline.models.candidates import Lists


def lists_of(*rows: Mapping[int, float]) -> Lists:
    """One list a mapping of items to scores."""
    return Lists(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        np.array([item for row in rows for item in row], dtype=np.int32),
        np.array([score for row in rows for score in row.values()], dtype=np.float32),
    )
