"""What kind of event each one is, and how long after the one before it came: codes and seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crossrec_pipeline.errors import SessionsError

UNKNOWN_TYPE = 0
"""Code of an event whose type the log does not tell, or that train has too few of."""
MOST_TYPES = 254
"""Types that have a code of their own; codes are bytes."""
_MOST_DIFFERENT_TYPES = np.iinfo(np.uint16).max
_MICROSECONDS_PER_SECOND = 1_000_000
_LONGEST_GAP_S = np.iinfo(np.uint32).max


@dataclass(frozen=True)
class EventInputs:
    """What is known of the events of a store besides their items.

    Attributes
    ----------
    event_type
        Code of each event's type, uint8 [n_events]; code `c` stands for `names[c - 1]`, and
        `UNKNOWN_TYPE` for all others.
    gap_s
        Whole seconds since the event before in the same session, as it is kept, 0 for the first;
        the longest that fits where there are more, uint32 [n_events].
    names
        The types that have a code, as fitted on train.
    """

    event_type: np.ndarray
    gap_s: np.ndarray
    names: tuple[str, ...]

    def only(self, events: np.ndarray) -> "EventInputs":
        """Return those of some events in memory, in the order of their numbers, int64 [n]."""
        return EventInputs(
            np.asarray(self.event_type)[events], np.asarray(self.gap_s)[events], self.names
        )

    def in_memory(self) -> "EventInputs":
        """Return the same, needing no file any more."""
        return EventInputs(np.array(self.event_type), np.array(self.gap_s), self.names)


def gaps_in_seconds(time_us: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Count the whole seconds since the event before, 0 for each session's first.

    Parameters
    ----------
    time_us
        Of each event, session after session, int64 [n_events].
    lengths
        Events of each session, none of them 0, int64 [n_sessions].

    Returns
    -------
    uint32 [n_events]

    Examples
    --------
    >>> gaps_in_seconds(np.array([5_000_000, 7_900_000, 1_000_000]), np.array([2, 1])).tolist()
    [0, 2, 0]
    """
    gaps = np.zeros(len(time_us), dtype=np.int64)
    gaps[1:] = np.diff(time_us) // _MICROSECONDS_PER_SECOND
    gaps[np.cumsum(lengths) - lengths] = 0
    return np.minimum(gaps, _LONGEST_GAP_S).astype(np.uint32)


class EventTypeCodes:
    """Numbers the types of a log's events from 1 on, as they are met; 0 is for none."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The types that were met; code `c` stands for `names[c - 1]`."""
        return tuple(self._codes)

    def encode(self, types: pa.DictionaryArray) -> np.ndarray:
        """Return the code of each event's type, uint16 [n_events].

        Raises
        ------
        SessionsError
            If there are more types than a log can have kinds of events.
        """
        names = types.dictionary.to_pylist()
        for name in names:
            self._codes.setdefault(name, len(self._codes) + 1)
        if len(self._codes) > _MOST_DIFFERENT_TYPES:
            raise SessionsError(
                f"The log has more than {_MOST_DIFFERENT_TYPES:,} event types, such as "
                f"{names[-1]!r}: that column says something else. Name the right one as event_type "
                "in CROSSREC_EVENT_COLUMNS, or set CROSSREC_SESSIONS__EVENT_INPUTS=false."
            )
        # Nulls point at the last entry.
        codes = np.array([*(self._codes[name] for name in names), UNKNOWN_TYPE], dtype=np.uint16)
        return codes[types.indices.fill_null(len(names)).to_numpy()]


def fit_event_types(
    names: Sequence[str], n_events: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Give the most frequent types of train a code each.

    Parameters
    ----------
    names
        Types by their number, from 1 on, as `EventTypeCodes` has them.
    n_events
        Events of train by number of their type, int64 [len(names) + 1].

    Returns
    -------
    names, codes
        The types that have a code, most frequent first, equal ones in the order of their names;
        and the code of each number, uint8 [len(names) + 1].
    """
    numbers = [number for number in range(1, len(names) + 1) if n_events[number]]
    numbers.sort(key=lambda number: (-n_events[number], names[number - 1]))
    kept = numbers[:MOST_TYPES]
    codes = np.full(len(names) + 1, UNKNOWN_TYPE, dtype=np.uint8)
    codes[kept] = np.arange(1, len(kept) + 1)
    return tuple(names[number - 1] for number in kept), codes
