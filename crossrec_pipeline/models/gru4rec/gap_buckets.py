"""Seconds between two events in; which of a few spans of time they fall into out."""

import numpy as np

BOUNDS_S = (0, 2, 5, 15, 60, 5 * 60, 30 * 60, 4 * 60 * 60)
"""Longest gap of each bucket but the last, seconds. The first bucket is of events that begin a
session, or come within a second."""

N_BUCKETS = len(BOUNDS_S) + 1


def gap_buckets(gap_s: np.ndarray) -> np.ndarray:
    """Return the bucket of each gap, int64, from 0 to `N_BUCKETS` - 1.

    The spans grow about as the logarithm does: a second more matters after two, not after an hour.

    Parameters
    ----------
    gap_s
        Whole seconds, not negative.

    Examples
    --------
    >>> gap_buckets(np.array([0, 1, 2, 3, 60, 61, 14_400, 14_401])).tolist()
    [0, 1, 1, 2, 4, 5, 7, 8]
    """
    return np.searchsorted(np.array(BOUNDS_S), gap_s, side="left").astype(np.int64)
