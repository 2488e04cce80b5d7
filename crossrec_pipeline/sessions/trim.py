"""From each event's session number to which events stay: repeats, short sessions, long sessions.

All functions take arrays of one entry an event, events of a session being next to each other.
"""

import numpy as np


def begins(*keys: np.ndarray) -> np.ndarray:
    """Mark events that differ from the event before them in any of the keys.

    Parameters
    ----------
    keys
        One or more arrays, such as session numbers, int [n_events].

    Returns
    -------
    bool [n_events]
        The first event is marked always.
    """
    marked = np.zeros(len(keys[0]), dtype=bool)
    marked[:1] = True
    for key in keys:
        marked[1:] |= key[1:] != key[:-1]
    return marked


def repeats_previous(session: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Mark events on the same item as the event before them in their session.

    Parameters
    ----------
    session, item
        Session number and item code of each event, int [n_events].

    Returns
    -------
    bool [n_events]
    """
    return ~begins(session, item)


def in_long_enough_sessions(session: np.ndarray, min_length: int) -> np.ndarray:
    """Mark events of sessions with at least `min_length` events, bool [n_events]."""
    return np.bincount(session)[session] >= min_length


def number_pieces(session: np.ndarray, max_length: int) -> np.ndarray:
    """Cut sessions into consecutive pieces of at most `max_length` events.

    Parameters
    ----------
    session
        Session number of each event, int [n_events].
    max_length
        Events in a full piece; a session's last piece holds the rest.

    Returns
    -------
    int64 [n_events]
        Number of the event's piece within its session, from 0.
    """
    event = np.arange(len(session))
    first = np.maximum.accumulate(np.where(begins(session), event, 0))
    return (event - first) // max_length
