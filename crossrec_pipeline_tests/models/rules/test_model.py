from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossrec_pipeline.errors import BundleError, SettingsError, TrainingError
from crossrec_pipeline.models.candidates import ListScorer
from crossrec_pipeline.models.popularity import log_shares
from crossrec_pipeline.models.rules.association import AssociationRules
from crossrec_pipeline.models.rules.ease import EASE
from crossrec_pipeline.models.rules.item_knn import ItemKNN
from crossrec_pipeline.models.rules.sequential import SequentialRules
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.rules.fitting import fitted
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

SEQUENCES = [[0, 1, 2], [0, 1, 0], [0, 2], [3, 2]]
Kind = type[AssociationRules] | type[EASE] | type[ItemKNN] | type[SequentialRules]
each_kind = pytest.mark.parametrize("kind", [AssociationRules, EASE, ItemKNN, SequentialRules])


@each_kind
def test_listed_items_score_above_all_others(kind: Kind) -> None:
    model = fitted(kind(), SEQUENCES, 5)
    assert isinstance(model, ListScorer)
    assert np.array_equal(model.floor(), log_shares(np.array([4, 2, 3, 1, 0])))
    assert model.floor().max() < 0
    for block in model.position_lists(SessionStore.from_sequences(SEQUENCES)):
        assert len(block.lists.scores)
        assert (block.lists.scores > 0).all()


@each_kind
def test_saved_model_scores_as_before(kind: Kind, tmp_path: Path) -> None:
    model = fitted(kind(decay=0.5, top=2), SEQUENCES, 5)
    model.save_weights(tmp_path / "weights.safetensors")
    restored = kind.restore(
        model.config(), tmp_path / "weights.safetensors", numbered_vocabulary(5)
    )
    assert restored.config() == model.config()
    sessions = [np.array([item, 0]) for item in range(5)]
    assert np.array_equal(restored.score(sessions), model.score(sessions))


@each_kind
def test_train_without_sessions_leaves_popularity(kind: Kind) -> None:
    model = fitted(kind(), [], 3)
    assert np.array_equal(model.score([np.array([1])]), model.floor()[None])


@each_kind
def test_weights_of_another_vocabulary_are_refused(kind: Kind, tmp_path: Path) -> None:
    fitted(kind(), SEQUENCES, 5).save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(BundleError, match=r"weights\.safetensors.*of 5 items.*6 items"):
        kind.restore({}, tmp_path / "weights.safetensors", numbered_vocabulary(6))


@each_kind
@pytest.mark.parametrize(("option", "value"), [("decay", -0.1), ("decay", 1.1), ("top", 0)])
def test_impossible_option_is_refused(kind: Kind, option: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"{option}={value} of {kind.kind} must be"):
        kind(**{option: value})


@each_kind
def test_scoring_before_fitting_is_refused(kind: Kind) -> None:
    with pytest.raises(TrainingError, match=rf"{kind.kind}.*call fit"):
        kind().score([np.array([0])])
