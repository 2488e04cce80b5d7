from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.errors import BundleError, SettingsError, TrainingError
from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.candidates import ListScorer, Queries
from crossrec_pipeline.models.neighbours.model import SessionNeighbours
from crossrec_pipeline.models.neighbours.sknn import SKNN
from crossrec_pipeline.models.neighbours.stan import STAN
from crossrec_pipeline.models.neighbours.vmis import VMIS
from crossrec_pipeline.models.neighbours.vsknn import VSKNN
from crossrec_pipeline.models.neighbours.vstan import VSTAN
from crossrec_pipeline.models.popularity import Popularity, log_shares
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.neighbours.small_log import LOG, N_ITEMS, fit, listed
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

KINDS: list[type[SessionNeighbours]] = [SKNN, VSKNN, VMIS, STAN, VSTAN]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


def test_kinds_have_their_usual_names() -> None:
    assert [kind.kind for kind in KINDS] == ["sknn", "vsknn", "vmis", "stan", "vstan"]


@every_kind
def test_unlisted_items_follow_by_popularity(kind: type[SessionNeighbours]) -> None:
    # Items 3 (once) and 0 (twice) are with 5 in no session; 4 never occurs.
    model = fit(kind(), log=[[5, 1], [5, 2], [0, 3], [0]], n_items=6)
    order = top_k(model.score([np.array([5])]), k=6)[0][0].tolist()
    assert set(order[:3]) == {5, 1, 2}
    assert order[3:] == [0, 3, 4]


@every_kind
def test_session_of_items_unknown_to_train_is_ranked_by_popularity(
    kind: type[SessionNeighbours],
) -> None:
    popularity = Popularity()
    popularity.fit(SessionStore.from_sequences(LOG), numbered_vocabulary(N_ITEMS))
    session = [np.array([4, 4])]
    assert np.array_equal(fit(kind()).score(session), popularity.score(session))


@every_kind
def test_items_of_the_session_are_listed_like_others(kind: type[SessionNeighbours]) -> None:
    assert set(listed(fit(kind()), 1)) == {0, 1, 2, 3}


@every_kind
def test_listed_scores_are_above_all_others_and_finite(kind: type[SessionNeighbours]) -> None:
    model = fit(kind())
    scores = listed(model, 0, 3).values()
    assert all(0 < score <= 1 for score in scores)
    assert model.floor().max() < 0
    assert model.floor().dtype == np.float32


@every_kind
def test_every_prediction_is_listed_once_from_the_events_before_it(
    kind: type[SessionNeighbours],
) -> None:
    model = fit(kind())
    assert isinstance(model, ListScorer)
    (block,) = model.position_lists(SessionStore.from_sequences(LOG))
    predictions = list(zip(block.session.tolist(), block.position.tolist(), strict=True))
    assert predictions == [(0, 1), (0, 2), (1, 1), (2, 1), (3, 1), (3, 2), (3, 3)]
    for row, (session, position) in enumerate(predictions):
        here = slice(block.lists.offsets[row], block.lists.offsets[row + 1])
        alone = model.lists(Queries.of([np.array(LOG[session][:position])]))
        assert np.array_equal(block.lists.items[here], alone.items)
        assert np.array_equal(block.lists.scores[here], alone.scores)


@every_kind
def test_old_sessions_keep_their_order_however_little_they_weigh(
    kind: type[SessionNeighbours],
) -> None:
    # The only sessions with item 0 are the oldest of many; 1 is with it twice, 2 once.
    model = fit(kind(), log=[[0, 1], [0, 1], [0, 2], *[[3, 4]] * 500])
    scores = listed(model, 0)
    assert scores[0] == 1
    assert scores[1] > scores[2] > 1e-3


@every_kind
def test_saved_model_scores_as_before(kind: type[SessionNeighbours], tmp_path: Path) -> None:
    config = kind.config_type(k=3, sample=2)
    model = fit(kind(config))
    model.save_weights(tmp_path / "weights.safetensors")
    restored = kind.restore(
        model.config(), tmp_path / "weights.safetensors", numbered_vocabulary(N_ITEMS)
    )
    assert restored.config() == model.config() == config.model_dump()
    sessions = [np.array(session) for session in ([0], [1, 2], [3, 0, 3], [4])]
    assert np.array_equal(restored.score(sessions), model.score(sessions))


def test_weights_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    fit(SKNN()).save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(BundleError, match=r"weights\.safetensors.*of 5 items.*6 items"):
        SKNN.restore({}, tmp_path / "weights.safetensors", numbered_vocabulary(6))


def test_configuration_of_another_kind_is_refused(tmp_path: Path) -> None:
    fit(SKNN()).save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(SettingsError, match=r"SKNNConfig.*place_scale"):
        SKNN.restore(
            STAN().config(), tmp_path / "weights.safetensors", numbered_vocabulary(N_ITEMS)
        )


@every_kind
def test_listing_before_fitting_is_refused(kind: type[SessionNeighbours]) -> None:
    with pytest.raises(TrainingError, match=f"{kind.__name__}.*call fit"):
        kind().score([np.array([0])])


@pytest.mark.parametrize("item", [-1, N_ITEMS])
def test_item_outside_the_vocabulary_is_refused(item: int) -> None:
    with pytest.raises(ValueError, match="outside 0 … 4"):
        fit(SKNN()).score([np.array([0]), np.array([1, item])])


def test_floor_is_the_logarithmic_share_of_train() -> None:
    # Events by item, the repeated one twice: 3, 3, 3, 2, 0.
    assert np.array_equal(fit(SKNN()).floor(), log_shares(np.array([3, 3, 3, 2, 0])))


def test_store_that_cannot_be_written_to_is_read(tmp_path: Path) -> None:
    SessionStore.from_sequences(LOG).write(tmp_path)
    model = SKNN()
    report = model.fit(SessionStore.open(tmp_path), numbered_vocabulary(N_ITEMS))
    assert report.summary == {"events": 11, "sessions": 4, "postings": 10}
    assert listed(model, 0, 1) == listed(fit(SKNN()), 0, 1)
