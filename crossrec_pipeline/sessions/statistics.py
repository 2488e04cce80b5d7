"""What became of the events on their way into sessions: counts that add up, ready for JSON."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class DroppedEvents:
    """Events that are in the log and not in the data set, by reason; each is counted once.

    Attributes
    ----------
    unattributed
        Without session id and without user id.
    collapsed_repeats
        On the same item as the event before them.
    short_sessions
        In sessions shorter than the minimum, from the start or after other events were dropped.
    straddling_sessions
        In sessions that began before and ended after a cut in time.
    low_support
        In train, on items with too few events there.
    cold
        In validation or test, on items that train does not know.
    leftover_pieces
        In the last piece of a long session, where that piece is shorter than the minimum.
    """

    unattributed: int
    collapsed_repeats: int
    short_sessions: int
    straddling_sessions: int
    low_support: int
    cold: int
    leftover_pieces: int

    @property
    def total(self) -> int:
        """All dropped events."""
        return sum(asdict(self).values())


@dataclass(frozen=True)
class DroppedSessions:
    """Sessions that are not in the data set, by reason."""

    short: int
    straddling: int
    leftover_pieces: int


@dataclass(frozen=True)
class SessionStatistics:
    """Sizes of a session data set and of what was left out. Dictionaries are by part.

    Attributes
    ----------
    events_in
        Events in the log: ``sum(events.values()) + dropped_events.total``.
    events, sessions
        Events and sessions kept.
    items
        Items in the vocabulary.
    low_support_items
        Items seen in train, but too rarely.
    support_rounds
        How often the events of items in train were counted, rare items being left out in between.
    cold_events, cold_items
        Events on, and distinct items that, train does not know, in validation and test.
    dropped_events, dropped_sessions
        What was left out and why.
    validation_cut, test_cut
        The cuts in time, ISO 8601, UTC.
    mean_length
        Events a session.
    multi_type_share
        Share of sessions with items of more than one type.
    """

    events_in: int
    events: dict[str, int]
    sessions: dict[str, int]
    items: int
    low_support_items: int
    support_rounds: int
    cold_events: dict[str, int]
    cold_items: dict[str, int]
    dropped_events: DroppedEvents
    dropped_sessions: DroppedSessions
    validation_cut: str
    test_cut: str
    mean_length: dict[str, float]
    multi_type_share: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-like values."""
        return asdict(self)
