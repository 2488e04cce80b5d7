from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.candidates import Queries
from crossrec_pipeline.models.session_popularity import SessionPopularity
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

# Events 0: 3, 1: 1, 2: 2, 3: 0.
TRAIN = SessionStore.from_sequences([[0, 0, 1], [2, 0], [2]])


def fitted(train: SessionStore = TRAIN, n_items: int = 4) -> SessionPopularity:
    model = SessionPopularity()
    model.fit(train, numbered_vocabulary(n_items))
    return model


def best(model: SessionPopularity, *session: int) -> list[int]:
    scores = model.score([np.array(session)])
    return top_k(scores, k=scores.shape[1])[0][0].tolist()


def test_items_of_the_session_rank_by_their_count_there() -> None:
    assert best(fitted(), 1, 3, 1, 3, 3) == [3, 1, 0, 2]


def test_equal_counts_rank_by_popularity_in_train() -> None:
    assert best(fitted(), 3, 2, 1) == [2, 1, 3, 0]


def test_score_is_the_count_and_the_share() -> None:
    # Events of all items 3 + 1 + 2 + 0, and one added to each of the four.
    lists = fitted().lists(Queries.of([np.array([2, 2, 1])]))
    assert lists.items.tolist() == [1, 2]
    assert lists.scores == pytest.approx([1 + 2 / 10, 2 + 3 / 10])


def test_items_beyond_the_session_score_below_it_by_popularity() -> None:
    scores = fitted().score([np.array([3])])[0]
    assert scores[3] > 0 > scores[0] > scores[2] > scores[1]


def test_no_sessions_have_no_lists() -> None:
    lists = fitted().lists(Queries.of([]))
    assert lists.offsets.tolist() == [0]
    assert len(lists.items) == len(lists.scores) == 0


@given(
    train=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=9),
    sessions=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=9), max_size=5),
)
def test_ranks_are_those_of_counting_by_hand(
    train: list[list[int]], sessions: list[list[int]]
) -> None:
    model = fitted(SessionStore.from_sequences(train), n_items=6)
    popularity = Counter(item for sequence in train for item in sequence)
    for session in sessions:
        here = Counter(session)
        wanted = sorted(range(6), key=lambda item: (-here[item], -popularity[item], item))
        assert best(model, *session) == wanted


def test_saved_model_scores_as_before(tmp_path: Path) -> None:
    model = fitted()
    model.save_weights(tmp_path / "weights.safetensors")
    restored = SessionPopularity.restore(
        model.config(), tmp_path / "weights.safetensors", numbered_vocabulary(4)
    )
    sessions = [np.array([0, 3]), np.array([1])]
    assert np.array_equal(restored.score(sessions), model.score(sessions))


def test_weights_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    fitted().save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(BundleError, match=r"weights\.safetensors.*of 4 items.*6 items"):
        SessionPopularity.restore({}, tmp_path / "weights.safetensors", numbered_vocabulary(6))


def test_scoring_before_fitting_is_refused() -> None:
    with pytest.raises(TrainingError, match="call fit"):
        SessionPopularity().score([np.array([0])])
