"""Events and what is known of them besides their items in; what that adds to their vectors out."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec.config import EventInput
from crossrec_pipeline.models.gru4rec.gap_buckets import N_BUCKETS, gap_buckets
from crossrec_pipeline.models.gru4rec.optimisers import add_rows
from crossrec_pipeline.models.gru4rec.side_tensors import with_prefix, without_prefix
from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import SessionStore

PREFIX = "events."
"""What the names of the tensors begin with, beside those of the network."""

PARTS: tuple[EventInput, ...] = ("event_type", "gap")
"""What can be read, in the order in which it is."""

UNKNOWN_ROW = 0
"""Row of each table that is read where nothing is known."""


class EventMaps(nn.Module):
    """What the kind of an event, and the time since the one before it, add to its input vector.

    All tables begin at nothing, so that training begins as it would without them.

    Parameters
    ----------
    parts
        What is read; each has a table.
    names
        Types of events that have a row of their own, as fitted on train.
    width
        Of the input vectors.

    Attributes
    ----------
    names
        As given.
    event_type
        Float [types + 1, E], or None where it is not read; row `n` is of `names[n - 1]`.
    gap
        Float [buckets + 1, E], or None; row `n` is of bucket `n - 1`.
    """

    event_type: Tensor | None
    gap: Tensor | None

    def __init__(self, parts: Sequence[EventInput], names: Sequence[str], width: int) -> None:
        super().__init__()
        self.names = tuple(names)
        n_rows = {"event_type": len(names) + 1, "gap": N_BUCKETS + 1}
        for part in PARTS:
            table = nn.Parameter(torch.zeros(n_rows[part], width)) if part in parts else None
            self.register_parameter(part, table)

    @property
    def parts(self) -> tuple[EventInput, ...]:
        """What is read."""
        return tuple(part for part in PARTS if getattr(self, part) is not None)

    @property
    def tables(self) -> list[nn.Parameter]:
        """The tables of the parts."""
        return [self.get_parameter(part) for part in self.parts]

    def added(self, rows: Tensor) -> Tensor:
        """Return what is added to events, by their rows, int64 [parts, N] → float [N, E]."""
        found = [
            table.index_select(0, of_part) for table, of_part in zip(self.tables, rows, strict=True)
        ]
        return sum(found[1:], start=found[0])

    def pull_back(self, rows: Tensor, d_vectors: Tensor) -> dict[str, Tensor]:
        """Return gradients of the tables, by name, given those of the events' input vectors."""
        gradients = {}
        for part, table, of_part in zip(self.parts, self.tables, rows, strict=True):
            gradients[part] = torch.zeros_like(table.detach())
            add_rows(gradients[part], of_part, d_vectors)
        return gradients

    def tensors(self) -> dict[str, np.ndarray]:
        """Return everything as arrays, by names with `PREFIX`; `from_tensors` takes them back."""
        tables = zip(self.parts, self.tables, strict=True)
        arrays = {part: table.detach().cpu().numpy() for part, table in tables}
        return with_prefix(PREFIX, arrays, {"names": self.names})

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> "EventMaps | None":
        """Find tables among a model's tensors; None where it was learnt without event inputs."""
        found = without_prefix(PREFIX, tensors)
        if found is None:
            return None
        own, about = found
        parts: list[EventInput] = [part for part in PARTS if part in own]
        maps = cls(parts, about["names"], own[parts[0]].shape[1])
        with torch.no_grad():
            for part, table in zip(parts, maps.tables, strict=True):
                table.copy_(torch.from_numpy(own[part]))
        return maps


class EventRows:
    """Looks up which row of each table the events of a store read.

    Parameters
    ----------
    events
        Of the store. Types are found by their names, since another store may have other codes.
    maps
        Whose rows are meant.
    """

    def __init__(self, events: EventInputs, maps: EventMaps) -> None:
        self._events = events
        self._parts = maps.parts
        row_of = {name: row for row, name in enumerate(maps.names, start=1)}
        found = [row_of.get(name, UNKNOWN_ROW) for name in events.names]
        self._row_of_type = np.array([UNKNOWN_ROW, *found], dtype=np.int64)

    def __call__(self, events: np.ndarray) -> np.ndarray:
        """Return the rows of some events, by their numbers, int64 [N] → int64 [parts, N]."""
        return np.stack([self._rows_of(part, events) for part in self._parts])

    def _rows_of(self, part: EventInput, events: np.ndarray) -> np.ndarray:
        if part == "event_type":
            return self._row_of_type[self._events.event_type[events]]
        return 1 + gap_buckets(self._events.gap_s[events])


class EventReading:
    """Reads what is known of the events of a store, as it is added to their input vectors."""

    def __init__(self, maps: EventMaps, store: SessionStore, part: str) -> None:
        self._maps = maps
        self.rows = EventRows(require_events(store, maps.parts, part), maps)

    def __call__(self, events: np.ndarray) -> Tensor:
        """Return what is added to some events, by their numbers, int64 [N] → float [N, E]."""
        device = self._maps.tables[0].device
        return self._maps.added(torch.from_numpy(self.rows(events)).to(device))


def require_events(store: SessionStore, parts: Sequence[EventInput], part: str) -> EventInputs:
    """Return what is known of a store's events.

    Raises
    ------
    TrainingError
        If nothing is kept of them.
    """
    if store.events is None:
        raise TrainingError(
            f"GRU4Rec: event_inputs names {', '.join(parts)}, and the sessions of {part} have no "
            "event types and gaps. Set CROSSREC_SESSIONS__EVENT_INPUTS=true and build "
            "sessions/sequences again (`crossrec run` does), or leave event_inputs out."
        )
    return store.events
