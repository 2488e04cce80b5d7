"""From event times and shares, or days, to two cuts in time; from session bounds to parts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from crossrec_pipeline.errors import SessionsError

TRAIN, VALIDATION, TEST, STRADDLING = 0, 1, 2, 3
"""Codes of `assign_parts`; the first three are positions in `store.PARTS`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000
HOURS_PER_DAY = 24

_DAY_US = HOURS_PER_DAY * HOUR_US


@dataclass(frozen=True)
class CutTimes:
    """The two cuts, µs since 1970 UTC: an event at the time of a cut lies after it."""

    validation_us: int
    test_us: int

    @property
    def validation_iso(self) -> str:
        """The validation cut in ISO 8601, UTC."""
        return (_EPOCH + timedelta(microseconds=self.validation_us)).isoformat()

    @property
    def test_iso(self) -> str:
        """The test cut in ISO 8601, UTC."""
        return (_EPOCH + timedelta(microseconds=self.test_us)).isoformat()

    @classmethod
    def from_iso(cls, validation: str, test: str) -> "CutTimes":
        """Read the cuts as `SessionStatistics` writes them, ISO 8601 with a time zone."""
        times = (datetime.fromisoformat(cut) - _EPOCH for cut in (validation, test))
        return cls(*(time // timedelta(microseconds=1) for time in times))


def choose_cut_times(
    n_events_by_hour: Mapping[int, int],
    times_of_hour_us: Callable[[int], np.ndarray],
    validation_share: float,
    test_share: float,
) -> CutTimes:
    """Cut time so that about the wanted shares of events come last.

    Both cuts are times at which something happened and are later than the first event, so equal
    times always fall on one side: a log of days is cut between days. Of the possible cuts, the
    test cut is the one that leaves a share nearest to `test_share` after it, and the validation
    cut the one before it that leaves a share nearest to both shares together; of two equally near,
    the later. Only the times of a few hours are looked at.

    Parameters
    ----------
    n_events_by_hour
        Events of each hour, hours counted from 1970; hours without any may be left out.
    times_of_hour_us
        Given an hour, returns the times of its events in any order, µs since 1970, int64.
    validation_share, test_share
        Wanted shares of the events, between 0 and 1.

    Raises
    ------
    SessionsError
        If there are fewer than three distinct times.
    """
    hours = np.array(sorted(hour for hour, n_events in n_events_by_hour.items() if n_events > 0))
    n_of_hour = np.array([n_events_by_hour[int(hour)] for hour in hours], dtype=np.int64)
    n_events = int(n_of_hour.sum())
    # Events from the beginning of each hour on, and after the last.
    n_from_hour = np.append(np.cumsum(n_of_hour[::-1])[::-1], 0)

    def possible_cuts(places: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct times of some hours, in order, and how many events come from each."""
        times, n_from = [], []
        for place in sorted({place for place in places if 0 <= place < len(hours)}):
            distinct, counts = np.unique(times_of_hour_us(int(hours[place])), return_counts=True)
            times.append(distinct)
            n_from.append(n_from_hour[place + 1] + np.cumsum(counts[::-1])[::-1])
        return np.concatenate(times), np.concatenate(n_from)

    def nearest(n_wanted: float, begin_us: int, end_us: int) -> int:
        """Return the best cut from `begin_us` on and before `end_us`, which both are times."""
        # The hours around the wanted share, and, where that is out of bounds, those at the bounds.
        around = int(np.searchsorted(-n_from_hour, -n_wanted, side="right")) - 1
        bounds = np.searchsorted(hours, [begin_us // HOUR_US, end_us // HOUR_US])
        times, n_from = possible_cuts(
            {around, around + 1, int(bounds[0]), int(bounds[1]) - 1, int(bounds[1])}
        )
        within = (times >= begin_us) & (times < end_us)
        distance = np.abs(n_from[within] - n_wanted)[::-1]
        return int(times[within][::-1][np.argmin(distance)])

    first_us = _first_distinct(hours, times_of_hour_us)
    if len(first_us) < 3:
        raise SessionsError(
            f"The events have {len(first_us)} distinct time(s); train, validation and test need at "
            "least three. Use a log that covers more time, or with finer timestamps."
        )
    # The first time cannot be a cut (train would be empty), nor the second one the second cut.
    after_all_us = int(times_of_hour_us(int(hours[-1])).max()) + 1
    test_us = nearest(n_events * test_share, first_us[2], after_all_us)
    validation_us = nearest(n_events * (validation_share + test_share), first_us[1], test_us)
    return CutTimes(validation_us=validation_us, test_us=test_us)


def _first_distinct(hours: np.ndarray, times_of_hour_us: Callable[[int], np.ndarray]) -> list[int]:
    """Return the first three distinct times, or all if there are fewer."""
    found: list[int] = []
    for hour in hours:
        # With counts numpy sorts; without them it hashes, which takes far longer here.
        distinct, _ = np.unique(times_of_hour_us(int(hour)), return_counts=True)
        found += distinct[: 3 - len(found)].tolist()
        if len(found) == 3:
            break
    return found


def cut_whole_days(last_day: int, validation_days: int, test_days: int) -> CutTimes:
    """Cut time at midnight UTC so that the last days are validation and test.

    Parameters
    ----------
    last_day
        The last day with an event, counted from 1970.
    validation_days, test_days
        How many days of the calendar each part gets, with or without events.
    """
    test_day = last_day + 1 - test_days
    return CutTimes(
        validation_us=(test_day - validation_days) * _DAY_US, test_us=test_day * _DAY_US
    )


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
