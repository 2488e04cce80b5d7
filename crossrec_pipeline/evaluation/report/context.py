"""What the report says of the data, the models and the run, which no figure tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class PartCounts:
    """What one part of the split holds.

    Attributes
    ----------
    part
        ``train``, ``validation`` or ``test``.
    n_sessions, n_events, n_items
        Sessions, their events, and the distinct items among these.
    n_cold_events
        Events left out of the part since train does not hold their item.
    """

    part: str
    n_sessions: int
    n_events: int
    n_items: int
    n_cold_events: int


class LeakVerdict(NamedTuple):
    """What one search for a leak from test into training found."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True)
class ReportContext:
    """What the metrics alone do not tell.

    Attributes
    ----------
    title
        Heading of the report.
    main_model
        The model that the report is about: its rival, transitions, examples and training are shown.
    events
        Where the log came from, such as ``simulated, seed 7``.
    n_items_by_type
        Ranked items by type; their sum is the size of every ranking.
    parts
        Counts of train, validation and test.
    validation_start, test_start
        The two cuts in time: ISO 8601, shown to the minute, or text to be shown as it is.
    data_versions
        Content version of each input by name.
    command
        What to run to get these figures again.
    training
        One row an epoch of the main model's training (`FitReport.history`).
    leak_audit
        Verdicts to show; without any there is no such section.
    notes
        Further sentences for the section on the measurement.
    produced_at
        When, as text; nothing is said when None, so that equal input gives an equal report.
    """

    title: str
    main_model: str
    events: str
    n_items_by_type: Mapping[str, int]
    parts: Sequence[PartCounts]
    validation_start: str
    test_start: str
    data_versions: Mapping[str, str]
    command: str
    training: Sequence[Mapping[str, float]] = ()
    leak_audit: Sequence[LeakVerdict] = ()
    notes: Sequence[str] = ()
    produced_at: str | None = None
