"""From event times and shares to two cuts in time, and from session bounds to split parts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from crossrec_pipeline.errors import SessionsError

TRAIN, VALIDATION, TEST, STRADDLING = 0, 1, 2, 3
"""Codes of `assign_parts`; the first three are positions in `store.PARTS`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CutTimes:
    """The two cuts, µs since 1970 UTC: an event at the time of a cut lies after it."""

    validation_us: int
    test_us: int

    @classmethod
    def from_iso(cls, validation: str, test: str) -> "CutTimes":
        """Read the cuts as `SessionStatistics` writes them, ISO 8601 with a time zone."""
        times = (datetime.fromisoformat(cut) - _EPOCH for cut in (validation, test))
        return cls(*(time // timedelta(microseconds=1) for time in times))


def choose_cut_times(times_us: np.ndarray, validation_share: float, test_share: float) -> CutTimes:
    """Cut time so that about the wanted shares of events come last.

    Both cuts are times at which something happened and are later than the first event, so equal
    times always fall on one side: a log of days is cut between days. Of the possible cuts, the
    test cut is the one that leaves a share nearest to `test_share` after it, and the validation
    cut the one before it that leaves a share nearest to both shares together; of two equally near,
    the later.

    Parameters
    ----------
    times_us
        Times of all events in any order, µs since 1970, int64 [n_events].
    validation_share, test_share
        Wanted shares of the events, between 0 and 1.

    Raises
    ------
    SessionsError
        If there are fewer than three distinct times.
    """
    distinct, counts = np.unique(times_us, return_counts=True)
    if len(distinct) < 3:
        raise SessionsError(
            f"The events have {len(distinct)} distinct time(s); train, validation and test need at "
            "least three. Use a log that covers more time, or with finer timestamps."
        )
    events_from = np.cumsum(counts[::-1])[::-1]
    n_events = len(times_us)
    # Position 0 cannot be a cut (train would be empty), nor position 1 the second one.
    test = _nearest(events_from, n_events * test_share, begin=2, end=len(distinct))
    validation = _nearest(
        events_from, n_events * (validation_share + test_share), begin=1, end=test
    )
    return CutTimes(validation_us=int(distinct[validation]), test_us=int(distinct[test]))


def _nearest(events_from: np.ndarray, wanted: float, begin: int, end: int) -> int:
    distance = np.abs(events_from[begin:end] - wanted)
    return end - 1 - int(np.argmin(distance[::-1]))


def assign_parts(start_us: np.ndarray, end_us: np.ndarray, cuts: CutTimes) -> np.ndarray:
    """Say to which part each session belongs.

    Train sessions end before the validation cut; validation sessions start at or after it and end
    before the test cut; test sessions start at or after the test cut. All others straddle a cut
    and belong nowhere: a model would see, or be asked about, both sides of it.

    Parameters
    ----------
    start_us, end_us
        Times of each session's first and last event, int64 [n_sessions].
    cuts
        The two cuts.

    Returns
    -------
    int8 [n_sessions]
        `TRAIN`, `VALIDATION`, `TEST` or `STRADDLING`.
    """
    parts = np.full(len(start_us), STRADDLING, dtype=np.int8)
    parts[end_us < cuts.validation_us] = TRAIN
    parts[(start_us >= cuts.validation_us) & (end_us < cuts.test_us)] = VALIDATION
    parts[start_us >= cuts.test_us] = TEST
    return parts
