"""In: how many events a day should have. Out: sessions in time, as lengths and event times.

A simulated day runs from 04:00 to 04:00 UTC. A user has at most one session in it, and sessions
end at 03:29 at the latest, so that more than 30 minutes pass before the same user's next one;
inside a session no two events are more than `MAX_GAP_SECONDS` apart.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

MIN_LENGTH, MAX_LENGTH, MEAN_LENGTH = 2, 40, 6.5
DOUBLE_LOGGED_SHARE = 0.02
"""Share of events that the log holds twice, a few seconds apart: noise of logging, not of taste."""

MEDIAN_GAP_SECONDS, GAP_SPREAD = 75.0, 1.0
MIN_GAP_SECONDS, MAX_GAP_SECONDS = 10.0, 900.0
_DOUBLE_DELAY_SECONDS = (1.0, 4.0)

_DAY_START_HOUR = 4
_QUIET_END_SECONDS = 31 * 60
_SECONDS = 1_000_000  # in µs

# fmt: off
_HOURS = np.array([  # 04:00 … 03:00
    0.3, 0.4, 0.8, 1.3, 1.6, 1.6, 1.6, 1.7, 2.0, 1.9, 1.8, 1.9,
    2.1, 2.6, 3.3, 4.2, 4.8, 4.6, 3.6, 2.3, 1.3, 0.7, 0.4, 0.2,
])
# fmt: on
_WEEKDAYS = np.array([0.92, 0.90, 0.93, 0.97, 1.08, 1.15, 1.05])  # Monday first


@dataclass(frozen=True)
class SessionSizes:
    """How long sessions are.

    Attributes
    ----------
    lengths
        Events of each session without double-logged ones, int64 [S].
    doubled
        Which events are logged twice, bool [S, MAX_LENGTH].
    """

    lengths: np.ndarray
    doubled: np.ndarray

    @property
    def n_sessions(self) -> int:
        """Number of sessions."""
        return len(self.lengths)

    @property
    def n_events(self) -> int:
        """Events in the log, double-logged ones counted twice."""
        return int(self.lengths.sum() + self.doubled.sum())


def mean_events_per_session() -> float:
    """Return how many events of the log a session makes on average."""
    failures = 1 - 1 / (MEAN_LENGTH - MIN_LENGTH + 1)
    # A geometric number of further events, cut at the longest length.
    further = sum(failures**k for k in range(1, MAX_LENGTH - MIN_LENGTH + 1))
    return (MIN_LENGTH + further) * (1 + DOUBLE_LOGGED_SHARE)


def events_by_day(n_events: int, first_day: date, n_days: int) -> np.ndarray:
    """Share `n_events` out over the days, more at the end of the week, int64 [n_days]."""
    until = np.cumsum(day_weights(first_day, n_days))
    return np.diff(np.round(until / until[-1] * n_events).astype(np.int64), prepend=0)


def day_weights(first_day: date, n_days: int) -> np.ndarray:
    """Return how busy each day is, float64 [n_days]."""
    return _WEEKDAYS[(first_day.weekday() + np.arange(n_days)) % 7]


def draw_sizes(rng: np.random.Generator, n_events: int, max_sessions: int) -> SessionSizes:
    """Draw sessions until they hold `n_events` or are `max_sessions`.

    The last one is cut so that the number is met; one event may be left over, since a session has
    at least two.
    """
    n_drawn = min(max_sessions, int(1.2 * n_events / mean_events_per_session()) + 20)
    p_stop = 1 / (MEAN_LENGTH - MIN_LENGTH + 1)
    lengths = np.minimum(MIN_LENGTH - 1 + rng.geometric(p_stop, size=n_drawn), MAX_LENGTH)
    is_event = np.arange(MAX_LENGTH) < lengths[:, None]
    doubled = is_event & (rng.random(is_event.shape) < DOUBLE_LOGGED_SHARE)
    until = np.cumsum(lengths + doubled.sum(axis=1))
    n_sessions = min(int(np.searchsorted(until, n_events)) + 1, n_drawn)
    lengths, doubled = lengths[:n_sessions], doubled[:n_sessions]
    excess = int(until[n_sessions - 1]) - n_events
    if excess > 0:
        n_left = int(lengths[-1] + doubled[-1].sum()) - excess
        lengths[-1], doubled[-1] = min(n_left, MAX_LENGTH), False
        if n_left < MIN_LENGTH:
            lengths, doubled = lengths[:-1], doubled[:-1]
    return SessionSizes(lengths.astype(np.int64), doubled)


def draw_times(rng: np.random.Generator, lengths: np.ndarray, day: date) -> np.ndarray:
    """Draw the time of each event of sessions of one simulated day.

    Returns
    -------
    np.ndarray
        µs since 1970 UTC, increasing along each row, int64 [S, longest]; past a session's length
        the values mean nothing.
    """
    n_sessions, longest = len(lengths), int(lengths.max(initial=1))
    gaps = np.exp(GAP_SPREAD * rng.standard_normal((n_sessions, longest))) * MEDIAN_GAP_SECONDS
    gaps = np.clip(gaps, MIN_GAP_SECONDS, MAX_GAP_SECONDS)
    gaps[:, 0] = 0.0
    since_start = gaps.cumsum(axis=1)
    duration = since_start[np.arange(n_sessions), lengths - 1]
    hours = rng.choice(24, size=n_sessions, p=_HOURS / _HOURS.sum()) + rng.random(n_sessions)
    latest_end = 24 * 3600 - _QUIET_END_SECONDS - rng.uniform(0, 1800, size=n_sessions)
    start = np.minimum(hours * 3600, latest_end - duration)
    midnight = (day - date(1970, 1, 1)) / timedelta(microseconds=1)
    seconds = _DAY_START_HOUR * 3600 + start[:, None] + since_start
    return int(midnight) + np.round(seconds * _SECONDS).astype(np.int64)


def draw_double_delays(rng: np.random.Generator, n_doubled: int) -> np.ndarray:
    """Draw how long after an event its double is logged, before any next event, µs int64."""
    return np.round(rng.uniform(*_DOUBLE_DELAY_SECONDS, size=n_doubled) * _SECONDS).astype(np.int64)
