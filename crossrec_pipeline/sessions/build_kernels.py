"""In: a day's events as integer arrays. Out: their order, their sessions, and both laid out."""

import numpy as np

from crossrec_pipeline.kernels import kernel

_DIGIT_BITS = 11


@kernel(nogil=True)
def is_in_order(time_us: np.ndarray, log_order: np.ndarray) -> bool:
    """Say whether events come by time, then log order, no two being alike in both."""
    for event in range(1, len(time_us)):
        if time_us[event] < time_us[event - 1]:
            return False
        if time_us[event] == time_us[event - 1] and log_order[event] <= log_order[event - 1]:
            return False
    return True


@kernel(nogil=True)
def sort_by(key: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Sort positions by key, equal keys staying in the order given: a radix sort.

    Parameters
    ----------
    key
        int64 [n_events].
    order
        Positions in `key`, int64 [n_events].

    Returns
    -------
    int64 [n_events]
        `order`, sorted; what is sorted already is given back as it is.
    """
    n_events = len(order)
    is_sorted = True
    for place in range(1, n_events):
        if key[order[place]] < key[order[place - 1]]:
            is_sorted = False
            break
    if is_sorted:
        return order
    lowest, highest = key.min(), key.max()
    source, target = order.copy(), np.empty_like(order)
    digit_mask = (1 << _DIGIT_BITS) - 1
    shift = 0
    while shift < 64 and (np.uint64(highest - lowest) >> np.uint64(shift)) > 0:
        begin = np.zeros(digit_mask + 2, dtype=np.int64)
        for event in source:
            begin[((key[event] - lowest) >> shift & digit_mask) + 1] += 1
        begin = np.cumsum(begin)
        for event in source:
            digit = (key[event] - lowest) >> shift & digit_mask
            target[begin[digit]] = event
            begin[digit] += 1
        source, target = target, source
        shift += _DIGIT_BITS
    return source


@kernel(nogil=True)
def find_streams(
    session_code: np.ndarray, user_code: np.ndarray, n_session_ids: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each event the number of its stream: a session of the log, or else a user.

    Parameters
    ----------
    session_code, user_code
        Codes of the log's session id and of the user, -1 where there is none, int32 [n_events].
    n_session_ids
        Number of session codes.

    Returns
    -------
    stream
        The session's code, or `n_session_ids` plus the user's, or -1 without either, int32
        [n_events].
    owner
        The user of each session of the log, -1 where no event names one, int32 [n_session_ids].
    is_shared
        Whether two users have a session of that id, bool [n_session_ids].
    """
    stream = np.empty(len(session_code), dtype=np.int32)
    owner = np.full(n_session_ids, -1, dtype=np.int32)
    is_shared = np.zeros(n_session_ids, dtype=np.bool_)
    for event in range(len(session_code)):
        session, user = session_code[event], user_code[event]
        if session < 0:
            stream[event] = n_session_ids + user if user >= 0 else -1
            continue
        stream[event] = session
        if user >= 0:
            if owner[session] >= 0 and owner[session] != user:
                is_shared[session] = True
            owner[session] = user
    return stream, owner, is_shared


@kernel(nogil=True)
def number_sessions(
    stream: np.ndarray, time_us: np.ndarray, n_streams: int, n_session_ids: int, gap_us: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group events into sessions, numbered by their first events.

    Parameters
    ----------
    stream
        As `find_streams` returns it, events being in order of time, int32 [n_events].
    time_us
        Time of each event, int64 [n_events].
    n_streams, n_session_ids
        Streams below `n_session_ids` are sessions of the log, which no gap ends.
    gap_us
        Longest silence inside a session.

    Returns
    -------
    session
        Session of each event, -1 without a stream, int32 [n_events].
    first, length
        Each session's first event, and how many it has, int64 [n_sessions].
    """
    open_session = np.full(n_streams, -1, dtype=np.int32)
    last_us = np.empty(n_streams, dtype=np.int64)
    session = np.empty(len(stream), dtype=np.int32)
    first = np.empty(len(stream), dtype=np.int64)
    length = np.zeros(len(stream), dtype=np.int64)
    n_sessions = 0
    for event in range(len(stream)):
        of = stream[event]
        if of < 0:
            session[event] = -1
            continue
        current = open_session[of]
        if current < 0 or (of >= n_session_ids and time_us[event] - last_us[of] > gap_us):
            current = n_sessions
            first[current] = event
            open_session[of] = current
            n_sessions += 1
        last_us[of] = time_us[event]
        session[event] = current
        length[current] += 1
    return session, first[:n_sessions].copy(), length[:n_sessions].copy()


@kernel(nogil=True)
def lay_out(
    session: np.ndarray,
    begin: np.ndarray,
    item: np.ndarray,
    time_us: np.ndarray,
    log_order: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring the events of each session together, in the order they come in.

    Parameters
    ----------
    session
        Session of each event, -1 for those to leave out, int32 [n_events].
    begin
        Where each session begins in the output, int64 [n_sessions].
    item, time_us, log_order
        int32, int64 and int64 [n_events].

    Returns
    -------
    item, time_us, log_order
        The same, session after session.
    """
    n_kept = 0
    for event in range(len(session)):
        if session[event] >= 0:
            n_kept += 1
    out_item = np.empty(n_kept, dtype=np.int32)
    out_time = np.empty(n_kept, dtype=np.int64)
    out_order = np.empty(n_kept, dtype=np.int64)
    place = begin.copy()
    for event in range(len(session)):
        of = session[event]
        if of >= 0:
            to = place[of]
            place[of] += 1
            out_item[to] = item[event]
            out_time[to] = time_us[event]
            out_order[to] = log_order[event]
    return out_item, out_time, out_order


@kernel(nogil=True)
def spread(
    lengths: np.ndarray, user: np.ndarray, session_id: np.ndarray, start_us: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Repeat what is said of a session for each of its events, and number these.

    Parameters
    ----------
    lengths, user, session_id, start_us
        Of each session, int64, int32, int32 and int64 [n_sessions].

    Returns
    -------
    user, session_id, start_us, position
        Of each event, int32, int32, int64 and int32 [n_events].
    """
    n_events = lengths.sum()
    out_user = np.empty(n_events, dtype=np.int32)
    out_session = np.empty(n_events, dtype=np.int32)
    out_start = np.empty(n_events, dtype=np.int64)
    position = np.empty(n_events, dtype=np.int32)
    event = 0
    for of in range(len(lengths)):
        for n in range(lengths[of]):
            out_user[event] = user[of]
            out_session[event] = session_id[of]
            out_start[event] = start_us[of]
            position[event] = n
            event += 1
    return out_user, out_session, out_start, position
