"""In: events, and which runs of them make up each session. Out: events session after session."""

import numpy as np

from crossrec_pipeline.kernels import kernel


@kernel(nogil=True)
def join_runs(
    item: np.ndarray,
    time_us: np.ndarray,
    first: np.ndarray,
    length: np.ndarray,
    session: np.ndarray,
    n_sessions: int,
    collapse_repeats: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copy runs of events one after the other.

    Parameters
    ----------
    item, time_us
        Of each event, int32 and int64 [n_events].
    first, length
        Each run's first event, and how many it has, int64 [n_runs].
    session
        Session of each run, from 0 and never falling, int64 [n_runs].
    n_sessions
        Number of sessions; each has a run.
    collapse_repeats
        Leave out events on the same item as the event before them in their session.

    Returns
    -------
    item, time_us
        The events kept, int32 and int64 [n_kept].
    offsets
        Session `s` is events `offsets[s]` to `offsets[s + 1]`, int64 [n_sessions + 1].
    """
    n_events = 0
    for run in range(len(first)):
        n_events += length[run]
    out_item = np.empty(n_events, dtype=np.int32)
    out_time = np.empty(n_events, dtype=np.int64)
    offsets = np.zeros(n_sessions + 1, dtype=np.int64)
    n_kept = 0
    previous_session = -1
    previous_item = -1
    for run in range(len(first)):
        if session[run] != previous_session:
            previous_session = session[run]
            previous_item = -1
        for event in range(first[run], first[run] + length[run]):
            if not (collapse_repeats and item[event] == previous_item):
                out_item[n_kept] = item[event]
                out_time[n_kept] = time_us[event]
                n_kept += 1
            previous_item = item[event]
        offsets[session[run] + 1] = n_kept
    return out_item[:n_kept].copy(), out_time[:n_kept].copy(), offsets
