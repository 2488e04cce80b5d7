"""Lanes and the sessions to come in; one training window's segments out (compiled, for the CPU)."""

import numpy as np
from numba import njit

from crossrec_pipeline.kernels import kernel


@kernel()
def fill_window(
    event: np.ndarray,
    end: np.ndarray,
    starts: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    n_steps: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Let each lane read up to `n_steps` predictions.

    Lanes whose session is at its end take sessions in turn, lane by lane, and again while there is
    room.

    Parameters
    ----------
    event, end
        Next input of each lane and its session's last event, equal where it has none, int64 [L];
        changed.
    starts
        Whether the lane's next input is its session's first, bool [L]; changed.
    first, last
        First and last event of the sessions to come, int64 [A]; `n_steps` × L of them, unless
        fewer are left.
    n_steps
        Predictions a lane makes at most.

    Returns
    -------
    lanes, begins, lengths, starts, continues
        Segments, longest first, int64 and bool [S]; see `Window`.
    n_taken
        Sessions that were taken.
    """
    n_lanes = len(event)
    room = np.full(n_lanes, n_steps, np.int64)
    most = n_lanes * n_steps
    lanes, begins, lengths = (
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
    )
    starting, continues = np.empty(most, np.bool_), np.empty(most, np.bool_)
    n_segments = n_taken = 0
    reading = True
    while reading:
        reading = False
        for lane in range(n_lanes):
            if room[lane] == 0:
                continue
            if event[lane] == end[lane]:
                if n_taken == len(first):
                    continue
                event[lane], end[lane] = first[n_taken], last[n_taken]
                starts[lane] = True
                n_taken += 1
            length = min(room[lane], end[lane] - event[lane])
            lanes[n_segments], begins[n_segments] = lane, event[lane]
            lengths[n_segments], starting[n_segments] = length, starts[lane]
            event[lane] += length
            room[lane] -= length
            starts[lane] = False
            continues[n_segments] = event[lane] < end[lane]
            n_segments += 1
            reading = True
    order = _longest_first(lengths[:n_segments], n_steps)
    return lanes[order], begins[order], lengths[order], starting[order], continues[order], n_taken


@njit
def _longest_first(lengths: np.ndarray, longest: int) -> np.ndarray:
    """Order by length, equal ones as they are, int64."""
    place = np.zeros(longest + 2, np.int64)
    for length in lengths:
        place[longest - length + 1] += 1
    place = np.cumsum(place)
    order = np.empty(len(lengths), np.int64)
    for number in range(len(lengths)):
        rank = longest - lengths[number]
        order[place[rank]] = number
        place[rank] += 1
    return order


@kernel()
def pack(
    item_index: np.ndarray, begins: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay segments out time step by time step.

    Parameters
    ----------
    item_index
        Item of each event, int [n_events].
    begins, lengths
        First event and number of predictions of each segment, longest first, int64 [S].

    Returns
    -------
    inputs, targets, batch_sizes
        As in `Window`, int64 [N], [N] and [T].
    """
    n = lengths.sum()
    inputs, targets = np.empty(n, np.int64), np.empty(n, np.int64)
    batch_sizes = np.empty(lengths[0], np.int64)
    place, alive = 0, len(lengths)
    for step in range(lengths[0]):
        while lengths[alive - 1] <= step:
            alive -= 1
        batch_sizes[step] = alive
        for segment in range(alive):
            event = begins[segment] + step
            inputs[place], targets[place] = item_index[event], item_index[event + 1]
            place += 1
    return inputs, targets, batch_sizes


@kernel()
def states_at_start(state: np.ndarray, lanes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return each segment's lane's state, or zeros where a session starts.

    Parameters
    ----------
    state
        Float32 [layers, L, H].
    lanes, starts
        As in `Window`.
    """
    n_layers, _, width = state.shape
    of_segments = np.zeros((n_layers, len(lanes), width), np.float32)
    for layer in range(n_layers):
        for segment in range(len(lanes)):
            if not starts[segment]:
                of_segments[layer, segment] = state[layer, lanes[segment]]
    return of_segments


@kernel()
def keep_states(
    state: np.ndarray, lanes: np.ndarray, continues: np.ndarray, last_state: np.ndarray
) -> None:
    """Write back the states of the lanes whose session goes on in the next window.

    Parameters
    ----------
    state
        Float32 [layers, L, H]; changed.
    lanes, continues
        As in `Window`.
    last_state
        Of each segment, float32 [layers, S, H].
    """
    for layer in range(len(state)):
        for segment in range(len(lanes)):
            if continues[segment]:
                state[layer, lanes[segment]] = last_state[layer, segment]
