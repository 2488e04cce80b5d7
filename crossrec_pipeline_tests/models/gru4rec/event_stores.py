"""Sessions in which only what is known of an event besides its item tells the next item."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import SessionStore

N_ITEMS = 12
NAMES = ("clicked", "searched", "scrolled", "bought")
_GAPS_S = np.array([1, 4, 50, 1_000])
"""One gap of a bucket each, as many as there are types."""


def with_random_events(store: SessionStore, seed: int) -> SessionStore:
    """Let a store know types and gaps that say nothing; some types are unknown."""
    rng = np.random.default_rng(seed)
    event_type = rng.integers(0, len(NAMES) + 1, store.n_events, dtype=np.uint8)
    gap_s = rng.integers(0, 400, store.n_events, dtype=np.uint32)
    return replace(store, events=EventInputs(event_type, gap_s, NAMES))


def telling_sessions(
    n_sessions: int, seed: int, *, by: str, names: Sequence[str] = NAMES
) -> SessionStore:
    """Draw sessions whose next item is told by the type of the event before, or by its gap.

    Four of the twelve items occur, each as often after each: items themselves tell nothing.

    Parameters
    ----------
    by
        ``event_type`` or ``gap``; the other one says nothing.
    names
        Types in the order of their codes.
    """
    rng = np.random.default_rng(seed)
    sessions, types, gaps = [], [], []
    for length in rng.integers(3, 9, n_sessions):
        told, other = rng.integers(0, 4, length), rng.integers(0, 4, length)
        sessions.append([int(rng.integers(4)), *told[:-1].tolist()])
        kinds, waits = (told, other) if by == "event_type" else (other, told)
        types += [names.index(NAMES[kind]) + 1 for kind in kinds]
        gaps += _GAPS_S[waits].tolist()
    return replace(
        SessionStore.from_sequences(sessions),
        events=EventInputs(
            np.array(types, dtype=np.uint8), np.array(gaps, dtype=np.uint32), tuple(names)
        ),
    )
