"""Sessions in, session-parallel mini-batches out: windows of whole lanes, nothing lost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from crossrec_pipeline.models.gru4rec.state import State
from crossrec_pipeline.models.gru4rec.window_kernels import fill_window, pack
from crossrec_pipeline.sessions.store import SessionStore

_READ_AHEAD = 4096
"""Sessions of the order that are looked up at once."""


@dataclass(frozen=True)
class Window:
    """What all lanes read in one training step, cut into segments of single sessions.

    A lane's part of a window is one segment for every session it touches. Segments are ordered by
    length, longest first, and laid out as `torch.nn.utils.rnn.PackedSequence` wants them: all
    first events, then all second events, and so on, without padding.

    Attributes
    ----------
    inputs, targets
        Item index of each event and of the event that follows it in its session, int64 [N].
    batch_sizes
        Segments still running at each time step, non-increasing, int64 [T]; they add up to N.
    lanes
        Lane of each segment, int64 [S]; S is `batch_sizes[0]`.
    starts
        Whether a segment begins its session, so that its hidden state is zero, bool [S].
        Otherwise it goes on from its lane's state.
    continues
        Whether a segment's session goes on in the next window, so that its last hidden state
        becomes its lane's state, bool [S].
    event_rows
        What is read of each event besides its item, int64 [parts, N]; None for nothing.
    """

    inputs: np.ndarray
    targets: np.ndarray
    batch_sizes: np.ndarray
    lanes: np.ndarray
    starts: np.ndarray
    continues: np.ndarray
    event_rows: np.ndarray | None = None


_NOTHING = np.zeros(0, dtype=np.int64)

EMPTY_WINDOW = Window(
    _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING.astype(bool), _NOTHING.astype(bool)
)
"""No segments and no predictions."""


def packed_order(begins: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay runs of consecutive numbers out time step by time step.

    Parameters
    ----------
    begins
        First number of each run, int64 [S].
    lengths
        Length of each run, non-increasing and at least 1, int64 [S].

    Returns
    -------
    order, batch_sizes
        The numbers in packed order, int64 [sum of lengths]; runs alive at each step, int64 [T].

    Examples
    --------
    >>> packed_order(np.array([10, 20]), np.array([3, 1]))
    (array([10, 20, 11, 12]), array([2, 1, 1]))
    """
    steps = np.arange(lengths[0])
    batch_sizes = np.searchsorted(-lengths, -steps, side="left")
    step = np.repeat(steps, batch_sizes)
    run = np.arange(len(step)) - np.repeat(np.cumsum(batch_sizes) - batch_sizes, batch_sizes)
    return begins[run] + step, batch_sizes


EventLookUp = Callable[[np.ndarray], np.ndarray]
"""From numbers of events, int64 [N], to what is read of each, int64 [parts, N]."""


class Order(Protocol):
    """Session numbers in the order in which they are to be taken; an array is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> np.ndarray: ...


class SessionParallelWindows:
    """Walk through sessions in parallel lanes, `n_steps` predictions of each lane at a time.

    A lane whose session ends takes the next session of `order` at once, within the same window.
    When no session is left its lane stays empty: the last windows are narrower, and every pair of
    consecutive events of every session comes exactly once. With `n_steps` = 1 these are the
    mini-batches of Hidasi et al. (2016), arXiv:1511.06939, section 3.1.1.

    Parameters
    ----------
    store
        Where the sessions are; memory-mapped arrays are read window by window.
    order
        Session numbers in the order in which lanes take them; sessions of one event are skipped.
    n_lanes, n_steps
        Size of a full window: `n_lanes` × `n_steps` predictions.
    event_rows
        Says what is read of events besides their items, by their numbers; see `EventRows`.
    """

    def __init__(
        self,
        store: SessionStore,
        order: Order,
        n_lanes: int,
        n_steps: int,
        event_rows: EventLookUp | None = None,
    ) -> None:
        self._store = store
        self._event_rows = event_rows
        self._items = np.asarray(store.item_index)  # of a mapped file: the same pages
        self._order = order
        self._n_steps = n_steps
        self._event = np.zeros(n_lanes, dtype=np.int64)  # next input of each lane
        self._end = np.zeros(n_lanes, dtype=np.int64)  # its session's last event, only a target
        self._starts = np.zeros(n_lanes, dtype=bool)
        self._go_to(0)

    def state(self) -> State:
        """Return where the walk is, between two windows."""
        return {
            "taken": self._taken,
            "event": self._event,
            "end": self._end,
            "starts": self._starts,
        }

    def load_state(self, state: State) -> None:
        """Go where a walk over the same sessions in the same order was."""
        for name in ("event", "end", "starts"):
            getattr(self, f"_{name}")[:] = np.asarray(state[name])
        self._go_to(state["taken"])

    def __iter__(self) -> Iterator[Window]:
        return self

    def __next__(self) -> Window:
        self._look_ahead(len(self._event) * self._n_steps)
        lanes, begins, lengths, starts, continues, n_taken = fill_window(
            self._event, self._end, self._starts, self._first, self._last, self._n_steps
        )
        if n_taken:
            self._taken = int(self._places[n_taken - 1]) + 1
            self._places, self._first, self._last = (
                numbers[n_taken:] for numbers in (self._places, self._first, self._last)
            )
        if len(lanes) == 0:
            raise StopIteration
        inputs, targets, batch_sizes = pack(self._items, begins, lengths)
        event_rows = None
        if self._event_rows is not None:
            events, _ = packed_order(begins, lengths)
            event_rows = self._event_rows(events)
        return Window(inputs, targets, batch_sizes, lanes, starts, continues, event_rows)

    def _go_to(self, taken: int) -> None:
        """Look at the session at this place of the order next."""
        self._taken = self._read = taken
        # Sessions of two events and more that were read and not taken: place, first and last event.
        self._places = self._first = self._last = np.zeros(0, dtype=np.int64)

    def _look_ahead(self, n: int) -> None:
        """Read on until `n` sessions can be taken, or no more are left."""
        while len(self._places) < n and self._read < len(self._order):
            sessions = self._order[self._read : self._read + max(n, _READ_AHEAD)]
            places = np.arange(self._read, self._read + len(sessions))
            first, last = self._store.offsets[sessions], self._store.offsets[sessions + 1] - 1
            pairs = last > first
            self._places = np.concatenate([self._places, places[pairs]])
            self._first = np.concatenate([self._first, first[pairs]])
            self._last = np.concatenate([self._last, last[pairs]])
            self._read += len(sessions)


def session_parallel_windows(
    store: SessionStore,
    order: Order,
    n_lanes: int,
    n_steps: int,
    event_rows: EventLookUp | None = None,
) -> SessionParallelWindows:
    """Return a walk from the beginning; see `SessionParallelWindows`."""
    return SessionParallelWindows(store, order, n_lanes, n_steps, event_rows)
