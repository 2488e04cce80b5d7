"""From whole sessions to the pieces that are kept of them: known items, no repeats, fit lengths."""

from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.kernels import kernel

UNKNOWN_EVENTS, REPEATS, SHORT_EVENTS, SHORT_SESSIONS, LEFTOVER_EVENTS, LEFTOVER_PIECES = range(6)
"""Columns of what `trim_sessions` counts."""
N_COUNTS = 6

UNKNOWN = -1
"""Item index of what is not in the vocabulary."""


@dataclass(frozen=True)
class Pieces:
    """Pieces of sessions, in the order of these.

    Attributes
    ----------
    item_index, time_us
        Of each event, piece after piece, int32 and int64 [n_events].
    length
        Events of each piece, int64 [n_pieces].
    session
        Which session each was cut from, int64 [n_pieces].
    number
        Number of the piece within its session, from 0, int64 [n_pieces].
    """

    item_index: np.ndarray
    time_us: np.ndarray
    length: np.ndarray
    session: np.ndarray
    number: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """Each piece's first event, int64 [n_pieces]."""
        return np.cumsum(self.length) - self.length

    @property
    def start_us(self) -> np.ndarray:
        """Time of each piece's first event, int64 [n_pieces]."""
        return self.time_us[self.first]

    @property
    def end_us(self) -> np.ndarray:
        """Time of each piece's last event, int64 [n_pieces]."""
        return self.time_us[self.first + self.length - 1]


def trim_sessions(
    item: np.ndarray,
    time_us: np.ndarray,
    lengths: np.ndarray,
    part: np.ndarray,
    index_of_item: np.ndarray,
    *,
    min_length: int,
    max_length: int,
    collapse_repeats: bool,
    counts: np.ndarray,
    is_unknown: np.ndarray,
) -> Pieces:
    """Take events on unknown items, repeats and short sessions out, and cut long sessions.

    Parameters
    ----------
    item, time_us
        Item code and time of each event, session after session, int32 and int64 [n_events].
    lengths
        Events of each session, int64 [n_sessions].
    part
        Part of each session, from 0; sessions with `n_parts` or more are left out, int8
        [n_sessions].
    index_of_item
        Item index of each code, `UNKNOWN` for those outside the vocabulary, int32 [n_codes].
    min_length, max_length
        Events a session must have, and a piece may have.
    collapse_repeats
        Whether consecutive events on one item become one.
    counts
        Is added to: what was taken out of each part, int64 [n_parts, N_COUNTS].
    is_unknown
        Is set where a part has events on an unknown item, bool [n_parts, n_codes].
    """
    return Pieces(
        *_trim(
            item,
            time_us,
            lengths,
            part,
            index_of_item,
            min_length,
            max_length,
            collapse_repeats,
            counts,
            is_unknown,
        )
    )


@kernel(nogil=True)
def _trim(
    item: np.ndarray,
    time_us: np.ndarray,
    lengths: np.ndarray,
    part: np.ndarray,
    index_of_item: np.ndarray,
    min_length: int,
    max_length: int,
    collapse_repeats: bool,
    counts: np.ndarray,
    is_unknown: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    index = np.empty(len(item), dtype=np.int32)
    time = np.empty(len(item), dtype=np.int64)
    n_pieces_at_most = len(item) // min_length + 1
    piece_length = np.empty(n_pieces_at_most, dtype=np.int64)
    piece_session = np.empty(n_pieces_at_most, dtype=np.int64)
    piece_number = np.empty(n_pieces_at_most, dtype=np.int64)
    n_events = n_pieces = end = 0
    for session in range(len(lengths)):
        begin = end
        end += lengths[session]
        of = part[session]
        if of >= len(counts):
            continue
        first = n_events
        previous = UNKNOWN
        for event in range(begin, end):
            found = index_of_item[item[event]]
            if found == UNKNOWN:
                counts[of, UNKNOWN_EVENTS] += 1
                is_unknown[of, item[event]] = True
            elif collapse_repeats and found == previous:
                counts[of, REPEATS] += 1
            else:
                index[n_events] = found
                time[n_events] = time_us[event]
                n_events += 1
                previous = found
        length = n_events - first
        if length < min_length:
            counts[of, SHORT_EVENTS] += length
            counts[of, SHORT_SESSIONS] += 1
            n_events = first
            continue
        for number in range((length + max_length - 1) // max_length):
            n_left = min(length - number * max_length, max_length)
            if n_left < min_length:
                counts[of, LEFTOVER_EVENTS] += n_left
                counts[of, LEFTOVER_PIECES] += 1
                n_events -= n_left
            else:
                piece_length[n_pieces] = n_left
                piece_session[n_pieces] = session
                piece_number[n_pieces] = number
                n_pieces += 1
    return (
        index[:n_events].copy(),
        time[:n_events].copy(),
        piece_length[:n_pieces].copy(),
        piece_session[:n_pieces].copy(),
        piece_number[:n_pieces].copy(),
    )


@kernel(nogil=True)
def gather_runs(values: np.ndarray, first: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Copy runs of values one after the other.

    Parameters
    ----------
    values
        Any type [n].
    first, length
        Where each run begins, and how long it is, int64 [n_runs].
    """
    gathered = np.empty(length.sum(), dtype=values.dtype)
    end = 0
    for run in range(len(first)):
        for place in range(first[run], first[run] + length[run]):
            gathered[end] = values[place]
            end += 1
    return gathered


@kernel(nogil=True)
def count_mixed(item_index: np.ndarray, length: np.ndarray, type_codes: np.ndarray) -> int:
    """Count sessions that hold items of more than one type.

    Parameters
    ----------
    item_index
        Of each event, session after session, int32 [n_events].
    length
        Events of each session, int64 [n_sessions].
    type_codes
        Code of each item's type, int8 [n_items].
    """
    n_mixed = first = 0
    for session in range(len(length)):
        for event in range(first + 1, first + length[session]):
            if type_codes[item_index[event]] != type_codes[item_index[first]]:
                n_mixed += 1
                break
        first += length[session]
    return n_mixed
