from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models import popularity
from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.popularity import Popularity, log_shares, smoothed_shares
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

TRAIN = SessionStore.from_sequences([[0, 1, 0], [0, 2], [1, 2, 0]])  # counts 4, 2, 2, 0


def fitted(train: SessionStore = TRAIN, n_items: int = 4) -> Popularity:
    model = Popularity()
    model.fit(train, numbered_vocabulary(n_items))
    return model


def test_shares_have_one_event_added_to_each_item() -> None:
    shares = smoothed_shares(np.array([4, 2, 2, 0]))
    assert shares.tolist() == [5 / 12, 3 / 12, 3 / 12, 1 / 12]


def test_softmax_of_the_scores_is_the_share() -> None:
    scores = fitted().score([np.array([3])])
    assert np.allclose(np.exp(scores), [[5 / 12, 3 / 12, 3 / 12, 1 / 12]])
    assert scores.dtype == np.float32


def test_everyone_gets_the_most_frequent_items_ties_by_index() -> None:
    indexes, _ = top_k(fitted().score([np.array([3]), np.array([0, 1])]), k=4)
    assert indexes.tolist() == [[0, 1, 2, 3]] * 2


def test_items_with_the_same_count_tie() -> None:
    scores = fitted().score([np.array([0])])[0]
    assert scores[1] == scores[2]


def test_counts_that_differ_by_one_in_millions_do_not_tie() -> None:
    scores = log_shares(np.array([30_000_000, 30_000_002, 30_000_001]))
    assert scores[0] < scores[2] < scores[1]


def test_every_prediction_is_scored_once_in_bounded_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popularity, "_SCORES_PER_BLOCK", 8)
    model = fitted()
    blocks = list(model.score_positions(TRAIN))
    assert [block.scores.shape for block in blocks] == [(2, 4), (2, 4), (1, 4)]
    assert np.concatenate([block.session for block in blocks]).tolist() == [0, 0, 1, 2, 2]
    assert np.concatenate([block.position for block in blocks]).tolist() == [1, 2, 1, 1, 2]
    assert np.array_equal(blocks[0].scores, model.score([np.array([0])] * 2))


def test_saved_model_scores_as_before(tmp_path: Path) -> None:
    model = fitted()
    model.save_weights(tmp_path / "weights.safetensors")
    restored = Popularity.restore(
        model.config(), tmp_path / "weights.safetensors", numbered_vocabulary(4)
    )
    assert np.array_equal(restored.score([np.array([1])]), model.score([np.array([1])]))


def test_weights_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    fitted().save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(BundleError, match=r"weights\.safetensors.*5 items"):
        Popularity.restore({}, tmp_path / "weights.safetensors", numbered_vocabulary(5))


def test_scoring_before_fitting_is_refused() -> None:
    with pytest.raises(TrainingError, match="call fit"):
        Popularity().score([np.array([0])])
