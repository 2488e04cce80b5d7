"""From whole sessions and two cuts to the events that each item has in train."""

from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.sessions.split import TRAIN, CutTimes, assign_parts
from crossrec_pipeline.sessions.stitched_log import StitchedLog
from crossrec_pipeline.settings import SessionSettings


@dataclass(frozen=True)
class TrainSupport:
    """How often items occur in train, by item code.

    Attributes
    ----------
    support
        Events of each item in the last round, int64 [n_codes]; zero for those left out before.
    n_rounds
        How often events were counted.
    """

    support: np.ndarray
    n_rounds: int


def count_support(log: StitchedLog, cuts: CutTimes, settings: SessionSettings) -> TrainSupport:
    """Count events in train, round after round.

    The first round counts all sessions of train that have the minimum length. Each further one
    leaves out items that had too few events in the round before, lets the repeats collapse that
    this brings together, leaves out sessions that became too short, and counts anew. With as many
    rounds as it takes until nothing changes, what is left is the core in which every item has
    `min_support` events and every session `min_length` (the k-core of a bipartite graph, Batagelj
    and Zaversnik 2003, here with two bounds).

    Parameters
    ----------
    log
        The sessions.
    cuts
        Train ends before the first.
    settings
        `min_length`, `min_support`, `support_rounds` and `collapse_repeats` are used.
    """
    support = _count(log, cuts, settings, np.ones(len(log.item_codes), dtype=bool))
    n_rounds = 1
    while settings.support_rounds is None or n_rounds < settings.support_rounds:
        is_frequent = support >= settings.min_support
        if not (support[~is_frequent] > 0).any():
            break  # nothing would change
        support = _count(log, cuts, settings, is_frequent)
        n_rounds += 1
    return TrainSupport(support, n_rounds)


def _count(
    log: StitchedLog, cuts: CutTimes, settings: SessionSettings, is_frequent: np.ndarray
) -> np.ndarray:
    support = np.zeros(len(is_frequent), dtype=np.int64)
    for batch in range(log.n_batches):
        start_us, end_us = log.bounds_us(batch)
        lengths = log.lengths(batch)
        is_train = assign_parts(start_us, end_us, cuts) == TRAIN
        counted = is_train & (lengths >= settings.min_length)
        if counted.any():
            add_support(
                log.items(batch),
                lengths,
                counted,
                is_frequent,
                settings.min_length,
                settings.collapse_repeats,
                support,
            )
    return support


@kernel(nogil=True)
def add_support(
    item: np.ndarray,
    lengths: np.ndarray,
    counted: np.ndarray,
    is_frequent: np.ndarray,
    min_length: int,
    collapse_repeats: bool,
    support: np.ndarray,
) -> None:
    """Add what some sessions hold of frequent items to their support.

    Parameters
    ----------
    item
        Item code of each event, session after session, int32 [n_events].
    lengths
        Events of each session, int64 [n_sessions].
    counted
        Which sessions to count, bool [n_sessions].
    is_frequent
        Which items to count, bool [n_codes]; others are as if they were not there.
    min_length
        Sessions with fewer events on frequent items are not counted.
    collapse_repeats
        Consecutive events on one item are one.
    support
        Is added to, int64 [n_codes].
    """
    kept = np.empty(lengths.max(), dtype=np.int32)
    begin = 0
    for session in range(len(lengths)):
        end = begin + lengths[session]
        if counted[session]:
            n_kept = 0
            for event in range(begin, end):
                code = item[event]
                if is_frequent[code] and not (
                    collapse_repeats and n_kept > 0 and kept[n_kept - 1] == code
                ):
                    kept[n_kept] = code
                    n_kept += 1
            if n_kept >= min_length:
                for place in range(n_kept):
                    support[kept[place]] += 1
        begin = end
