import time
from collections.abc import Sequence

import numpy as np

from crossrec_pipeline.evaluation.latency import latencies_ms
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

STORE = SessionStore.from_sequences([[0, 1], [2, 0], [1, 2]])


class SeldomSlow(Popularity):
    """Takes 50 ms longer for every second question."""

    def __init__(self) -> None:
        super().__init__()
        self.n_asked = 0

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        self.n_asked += 1
        if self.n_asked % 2:
            time.sleep(0.05)
        return super().score(sessions)


def test_the_shortest_time_of_each_session_counts():
    model = SeldomSlow()
    model.fit(STORE, numbered_vocabulary(3))
    found = latencies_ms(model, list(STORE), 2)
    assert found.shape == (3,)
    assert (found > 0).all()
    # Each session is asked for thrice, so at least once when the model does not sleep.
    assert np.median(found) < 50
    assert model.n_asked == 3 + 3 * 3


def test_without_sessions_there_is_nothing_to_time():
    assert latencies_ms(SeldomSlow(), [], 2).shape == (0,)
