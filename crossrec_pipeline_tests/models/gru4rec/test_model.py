import json

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.gru4rec import hidden_states
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.inner_product.factors import FactoredScorer
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

N_ITEMS = 25
CONFIGS = {
    "constrained": GRU4RecConfig(hidden_size=8, batch_size=4, epochs=2),
    "separate": GRU4RecConfig(
        embedding="separate", embedding_dim=5, hidden_size=8, batch_size=4, epochs=2, n_layers=2
    ),
}


def _vocabulary(n_items: int = N_ITEMS) -> Vocabulary:
    return Vocabulary.from_items(
        pl.DataFrame(
            {
                "item_id": [f"Book_{i}" for i in range(n_items)],
                "item_type": ["Book"] * n_items,
                "title": [str(i) for i in range(n_items)],
                "support": [5] * n_items,
            }
        )
    )


def _store(seed: int = 0, n_sessions: int = 30) -> SessionStore:
    rng = np.random.default_rng(seed)
    return SessionStore.from_sequences(
        [rng.integers(0, N_ITEMS, rng.integers(1, 9)).tolist() for _ in range(n_sessions)]
    )


@pytest.fixture(scope="module", params=list(CONFIGS))
def fitted(request) -> GRU4Rec:
    model = GRU4Rec(CONFIGS[request.param])
    model.fit(_store(), _vocabulary(), _store(1))
    return model


def test_is_a_recommender_that_gives_factors():
    model: Recommender = GRU4Rec()
    assert model.kind == "gru4rec"
    assert isinstance(model, FactoredScorer)


def test_every_position_is_scored_once_as_from_its_prefix_alone(fitted, monkeypatch):
    monkeypatch.setattr(hidden_states, "BLOCK_EVENTS", 20)
    monkeypatch.setattr(hidden_states, "BLOCK_SCORES", 7 * N_ITEMS)
    store = _store(2)
    seen = set()
    for block in fitted.score_positions(store):
        assert 1 <= len(block.scores) <= 7
        assert block.scores.dtype == np.float32
        for session, position, scores in zip(
            block.session, block.position, block.scores, strict=True
        ):
            seen.add((int(session), int(position)))
            alone = fitted.score([store[session][:position]])[0]
            np.testing.assert_allclose(scores, alone, atol=1e-5)
    expected = {(s, p) for s in range(store.n_sessions) for p in range(1, len(store[s]))}
    assert seen == expected
    assert sum(len(b.scores) for b in fitted.score_positions(store)) == len(expected)


def test_factors_multiply_to_the_scores(fitted):
    store = _store(2)
    factors = fitted.item_factors()
    for scored, given_states in zip(
        fitted.score_positions(store), fitted.position_factors(store), strict=True
    ):
        np.testing.assert_array_equal(given_states.session, scored.session)
        np.testing.assert_array_equal(given_states.position, scored.position)
        product = given_states.hidden @ factors.weight.t() + factors.bias
        np.testing.assert_allclose(product.numpy(), scored.scores, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_scores_of_a_session_do_not_depend_on_the_rest_of_the_batch(fitted, data):
    session = st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=7).map(np.array)
    sessions = data.draw(st.lists(session, min_size=1, max_size=6))
    together = fitted.score(sessions)
    assert together.shape == (len(sessions), N_ITEMS)
    for number, session in enumerate(sessions):
        np.testing.assert_allclose(together[number], fitted.score([session])[0], atol=1e-5)


def test_item_zero_is_an_item_like_any_other(fitted):
    bare, before, after = fitted.score([np.array([3, 4]), np.array([0, 3, 4]), np.array([3, 4, 0])])
    assert np.abs(bare - before).max() > 1e-4
    assert np.abs(bare - after).max() > 1e-4


def test_item_zero_is_learnt_as_input_and_as_target():
    swing = SessionStore.from_sequences([[0, 1, 0, 1, 0, 1], [2, 3, 2, 3, 2, 3]] * 20)
    model = GRU4Rec(GRU4RecConfig(hidden_size=8, epochs=10, learning_rate=0.05, batch_size=4))
    model.fit(swing, _vocabulary(4))
    after_one, after_zero = model.score([np.array([1]), np.array([0])])
    assert after_one.argmax() == 0
    assert after_zero.argmax() == 1


def test_scoring_does_not_drop_out_or_change_the_model(fitted):
    sessions = [np.array([1, 2, 3])]
    np.testing.assert_array_equal(fitted.score(sessions), fitted.score(sessions))


def test_no_sessions_give_no_scores(fitted):
    assert fitted.score([]).shape == (0, N_ITEMS)
    assert not list(fitted.score_positions(SessionStore.from_sequences([[1], [2]])))
    assert not list(fitted.score_positions(SessionStore.from_sequences([])))


@pytest.mark.parametrize(
    ("session", "message"),
    [([], "session 1 is empty"), ([3, N_ITEMS], "outside 0 … 24"), ([-1], "outside 0 … 24")],
)
def test_impossible_session_is_refused_by_number(fitted, session, message):
    with pytest.raises(ValueError, match=message):
        fitted.score([np.array([1]), np.array(session, dtype=np.int64)])


def test_restored_model_scores_the_same(fitted, tmp_path):
    fitted.save_weights(tmp_path / "weights.safetensors")
    config = json.loads(json.dumps(fitted.config()))
    restored = GRU4Rec.restore(config, tmp_path / "weights.safetensors", _vocabulary())
    sessions = [np.array([0, 5]), np.array([7])]
    np.testing.assert_array_equal(restored.score(sessions), fitted.score(sessions))
    assert restored.config() == fitted.config()


def test_constrained_embedding_is_written_once(tmp_path):
    model = GRU4Rec(CONFIGS["constrained"])
    model.fit(_store(), _vocabulary())
    model.save_weights(tmp_path / "weights.safetensors")
    shapes = {
        name: tuple(t.shape) for name, t in load_file(tmp_path / "weights.safetensors").items()
    }
    assert shapes["input_embedding"] == (N_ITEMS, 8)
    assert "output_weight" not in shapes


def test_restoring_with_another_vocabulary_is_refused(fitted, tmp_path):
    fitted.save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(BundleError, match="vocabulary of 26 items"):
        GRU4Rec.restore(fitted.config(), tmp_path / "weights.safetensors", _vocabulary(26))


def test_restoring_a_foreign_configuration_is_refused(fitted, tmp_path):
    fitted.save_weights(tmp_path / "weights.safetensors")
    with pytest.raises(BundleError, match=r"not a GRU4Rec's.*neighbours"):
        GRU4Rec.restore({"neighbours": 5}, tmp_path / "weights.safetensors", _vocabulary())


@pytest.mark.parametrize("content", [None, b"not safetensors"])
def test_restoring_missing_or_damaged_weights_is_refused_by_name(fitted, tmp_path, content):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"weights\.safetensors cannot be read"):
        GRU4Rec.restore(fitted.config(), path, _vocabulary())


def test_model_that_has_learnt_nothing_cannot_score(tmp_path):
    for use in (
        lambda: GRU4Rec().score([np.array([0])]),
        lambda: list(GRU4Rec().score_positions(_store())),
        lambda: list(GRU4Rec().position_factors(_store())),
        lambda: GRU4Rec().item_factors(),
        lambda: GRU4Rec().save_weights(tmp_path / "weights.safetensors"),
    ):
        with pytest.raises(TrainingError, match="learnt nothing yet"):
            use()


def test_failed_fit_leaves_an_earlier_one_in_place():
    model = GRU4Rec(CONFIGS["constrained"])
    model.fit(_store(), _vocabulary())
    before = model.score([np.array([1])])

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(_store(1), _vocabulary(), progress=interrupt)
    np.testing.assert_array_equal(model.score([np.array([1])]), before)


def test_training_on_cuda_without_a_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match="device='auto'"):
        GRU4Rec(GRU4RecConfig(device="cuda")).fit(_store(), _vocabulary())


def test_model_trained_on_cuda_is_restored_on_the_cpu(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    fitted.save_weights(tmp_path / "weights.safetensors")
    config = {**fitted.config(), "device": "cuda"}
    restored = GRU4Rec.restore(config, tmp_path / "weights.safetensors", _vocabulary())
    assert restored.score([np.array([1])]).shape == (1, N_ITEMS)


def test_report_has_a_row_an_epoch_and_a_summary():
    model = GRU4Rec(CONFIGS["constrained"])
    report = model.fit(_store(), _vocabulary(), _store(1))
    assert set(report.history[0]) == {"epoch", "loss", "recall_at_20", "events_per_second"}
    assert report.summary["device"] == "cpu"
    assert json.dumps(report.summary)


def test_reading_from_memory_mapped_sessions_gives_the_same_weights(tmp_path):
    directory = tmp_path / "store"
    directory.mkdir()
    _store().write(directory)
    scores = []
    for store in (_store(), SessionStore.open(directory)):
        model = GRU4Rec(CONFIGS["constrained"])
        model.fit(store, _vocabulary())
        scores.append(model.score([np.array([0, 1])]))
    np.testing.assert_array_equal(*scores)
