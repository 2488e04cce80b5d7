from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import BundleError, SettingsError, TrainingError
from crossrec_pipeline.models import candidates
from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

# Transitions 0→1 twice, 0→2 once, 1→2 once, 1→0 once; events 0: 4, 1: 2, 2: 3, 3: 1, 4: 0.
SEQUENCES = [[0, 1, 2], [0, 1, 0], [0, 2], [3, 2]]
TRAIN = SessionStore.from_sequences(SEQUENCES)
SHARES = np.array([5, 3, 4, 2, 1]) / 15


def fitted(train: SessionStore = TRAIN, n_items: int = 5, prior_events: float = 1.0) -> Markov:
    model = Markov(prior_events)
    model.fit(train, numbered_vocabulary(n_items))
    return model


def softmax(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def best(model: Markov, *session: int) -> list[int]:
    scores = model.score([np.array(session)])
    return top_k(scores, k=scores.shape[1])[0][0].tolist()


def test_softmax_of_the_scores_is_the_smoothed_transition_probability() -> None:
    scores = fitted().score([np.array([0])])
    assert np.allclose(softmax(scores), (np.array([0, 2, 1, 0, 0]) + SHARES) / (3 + 1))
    assert scores.dtype == np.float32


def test_weight_of_the_prior_is_as_configured() -> None:
    scores = fitted(prior_events=0.1).score([np.array([0])])
    assert np.allclose(softmax(scores), (np.array([0, 2, 1, 0, 0]) + 0.1 * SHARES) / (3 + 0.1))


def test_items_that_followed_rank_by_count_then_the_rest_by_popularity() -> None:
    assert best(fitted(), 0) == [1, 2, 0, 3, 4]


def test_items_that_followed_equally_often_rank_by_popularity() -> None:
    assert best(fitted(), 1) == [0, 2, 1, 3, 4]


def test_item_nothing_followed_falls_back_on_popularity() -> None:
    assert best(fitted(), 4) == [0, 2, 1, 3, 4]


def test_only_the_last_item_counts() -> None:
    model = fitted()
    assert np.array_equal(model.score([np.array([3, 2, 1])]), model.score([np.array([1])]))


def test_sessions_do_not_run_into_each_other() -> None:
    # The first session ends with 2 and the second begins with 0; nothing ever followed 2.
    assert best(fitted(), 2) == best(fitted(), 4)


def test_rows_of_a_batch_are_those_of_single_sessions() -> None:
    model = fitted()
    sessions = [np.array([item]) for item in (1, 4, 0, 0, 3)]
    batch = model.score(sessions)
    assert np.array_equal(batch, np.concatenate([model.score([s]) for s in sessions]))


def test_small_differences_in_popularity_survive_among_frequent_transitions() -> None:
    # 0→1 and 0→2 both 5,000 times; 2 occurs once more. 32 bits alone would make them a tie.
    sequences = [[0, 1]] * 5_000 + [[0, 2]] * 5_000 + [[3, 2]]
    scores = fitted(SessionStore.from_sequences(sequences)).score([np.array([0])])[0]
    assert np.float32(np.log(5_000 + 5_001 / 20_007)) == np.float32(np.log(5_000 + 5_002 / 20_007))
    assert scores[2] > scores[1]


@given(
    sequences=st.lists(st.lists(st.integers(0, 5), min_size=2, max_size=8), min_size=1, max_size=30)
)
def test_ranks_are_those_of_counting_by_hand(sequences: list[list[int]]) -> None:
    popularity = [sum(sequence.count(item) for sequence in sequences) for item in range(6)]
    model = fitted(SessionStore.from_sequences(sequences), n_items=6)
    for last in range(6):
        followed = [0] * 6
        for sequence in sequences:
            for before, after in pairwise(sequence):
                followed[after] += before == last
        wanted = sorted(range(6), key=lambda item: (-followed[item], -popularity[item], item))
        assert best(model, last) == wanted


def test_every_prediction_is_scored_once_by_the_item_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidates, "_SCORES_PER_BLOCK", 10)
    model = fitted()
    seen = []
    for block in model.score_positions(TRAIN):
        assert len(block.scores) <= 2
        for session, position, scores in zip(
            block.session, block.position, block.scores, strict=True
        ):
            seen.append((session, position))
            prefix = np.array(SEQUENCES[session][:position])
            assert np.array_equal(scores, model.score([prefix])[0])
    assert seen == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (3, 1)]


def test_saved_model_scores_as_before(tmp_path: Path) -> None:
    model = fitted(prior_events=0.5)
    model.save_weights(tmp_path / "weights.safetensors")
    restored = Markov.restore(
        model.config(), tmp_path / "weights.safetensors", numbered_vocabulary(5)
    )
    assert restored.config() == {"prior_events": 0.5}
    sessions = [np.array([item]) for item in range(5)]
    assert np.array_equal(restored.score(sessions), model.score(sessions))


def test_weights_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    fitted().save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(BundleError, match=r"weights\.safetensors.*of 5 items.*6 items"):
        Markov.restore({}, tmp_path / "weights.safetensors", numbered_vocabulary(6))


@pytest.mark.parametrize("prior_events", [0.0, -1.0, 1.5])
def test_prior_out_of_range_is_refused(prior_events: float) -> None:
    with pytest.raises(SettingsError, match="prior_events"):
        Markov(prior_events)


def test_scoring_before_fitting_is_refused() -> None:
    with pytest.raises(TrainingError, match="call fit"):
        Markov().score([np.array([0])])
