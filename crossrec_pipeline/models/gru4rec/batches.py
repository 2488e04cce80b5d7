"""Sessions in, session-parallel mini-batches out: windows of whole lanes, nothing lost."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.sessions.store import SessionStore


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
    """

    inputs: np.ndarray
    targets: np.ndarray
    batch_sizes: np.ndarray
    lanes: np.ndarray
    starts: np.ndarray
    continues: np.ndarray


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


def session_parallel_windows(
    store: SessionStore, order: np.ndarray, n_lanes: int, n_steps: int
) -> Iterator[Window]:
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
    """
    order = order[store.lengths[order] >= 2]
    first, last = store.offsets[order], store.offsets[order + 1] - 1
    event = np.zeros(n_lanes, dtype=np.int64)  # next input of each lane
    end = np.zeros(n_lanes, dtype=np.int64)  # its session's last event, which is only a target
    starts = np.zeros(n_lanes, dtype=bool)
    taken = 0
    while True:
        room = np.full(n_lanes, n_steps)
        rounds: list[tuple[np.ndarray, ...]] = []
        while True:
            free = np.flatnonzero((event == end) & (room > 0))[: len(order) - taken]
            next_sessions = slice(taken, taken + len(free))
            event[free], end[free] = first[next_sessions], last[next_sessions]
            starts[free] = True
            taken += len(free)

            lane = np.flatnonzero((event < end) & (room > 0))
            if len(lane) == 0:
                break
            begin = event[lane]
            length = np.minimum(room[lane], end[lane] - begin)
            event[lane] += length
            room[lane] -= length
            rounds.append((lane, begin, length, starts[lane], event[lane] < end[lane]))
            starts[lane] = False
        if not rounds:
            return
        yield _window(store, *(np.concatenate(parts) for parts in zip(*rounds, strict=True)))


def _window(
    store: SessionStore,
    lanes: np.ndarray,
    begins: np.ndarray,
    lengths: np.ndarray,
    starts: np.ndarray,
    continues: np.ndarray,
) -> Window:
    longest_first = np.argsort(-lengths, kind="stable")
    order, batch_sizes = packed_order(begins[longest_first], lengths[longest_first])
    return Window(
        inputs=np.asarray(store.item_index[order], dtype=np.int64),
        targets=np.asarray(store.item_index[order + 1], dtype=np.int64),
        batch_sizes=batch_sizes,
        lanes=lanes[longest_first],
        starts=starts[longest_first],
        continues=continues[longest_first],
    )
