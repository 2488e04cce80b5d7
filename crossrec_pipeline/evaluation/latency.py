"""A model and sessions in; how long each session's best items take out."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from crossrec_pipeline.models.base import Recommender, top_k
from crossrec_pipeline.models.threads import one_thread

_WARM_UP = 5
_REPEATS = 3


def latencies_ms(model: Recommender, sessions: Sequence[np.ndarray], k: int) -> np.ndarray:
    """Time the best `k` items of single sessions, after a warm-up.

    Each session is timed thrice, in one thread, and the shortest time counts: what else the machine
    does at that moment is no property of the model.

    Returns
    -------
    float64 [n_sessions]
        Milliseconds.
    """
    milliseconds = np.empty((len(sessions), _REPEATS))
    with one_thread():
        for session in sessions[:_WARM_UP]:
            top_k(model.score([session]), k)
        for number, session in enumerate(sessions):
            for repeat in range(_REPEATS):
                begin = perf_counter()
                top_k(model.score([session]), k)
                milliseconds[number, repeat] = 1000 * (perf_counter() - begin)
    return milliseconds.min(axis=1)
