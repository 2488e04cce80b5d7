"""Times of a log that is in memory in; the two cuts that the pipeline finds day by day out."""

import numpy as np

from crossrec_pipeline.sessions.split import CutTimes
from crossrec_pipeline.settings import SplitSettings


def cut_times(times_us: np.ndarray, split: SplitSettings) -> CutTimes:
    """Cut where the events that follow are nearest in number to the wanted shares."""
    distinct, counts = np.unique(times_us, return_counts=True)
    n_following = np.cumsum(counts[::-1])[::-1]
    test = _nearest(n_following[2:], len(times_us) * split.test_share) + 2
    both = split.validation_share + split.test_share
    validation = _nearest(n_following[1:test], len(times_us) * both) + 1
    return CutTimes(validation_us=int(distinct[validation]), test_us=int(distinct[test]))


def _nearest(n_following: np.ndarray, wanted: float) -> int:
    distance = np.abs(n_following - wanted)[::-1]
    return len(distance) - 1 - int(np.argmin(distance))
