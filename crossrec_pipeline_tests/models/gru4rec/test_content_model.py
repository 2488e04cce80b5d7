"""GRU4Rec with content as a model: learnt, kept, taken up again, and given new items."""

from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.errors import SettingsError, TrainingError
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig, preset
from crossrec_pipeline.models.gru4rec.content_head import ContentHead
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.serving.engine.load import read_gru4rec
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.contents import (
    Texts,
    catalogue,
    content,
    texts,
    vocabulary,
)

N_ITEMS = 24
CONFIG = GRU4RecConfig(
    hidden_size=8,
    n_negatives=4,
    batch_size=4,
    epochs=2,
    content=("type", "text", "genres", "creators"),
    text_width=4,
    id_dropout=0.2,
    adapter_rank=2,
    within_type_weight=0.3,
    alignment_weight=0.1,
    balance_negatives=0.5,
    balance_sessions=0.5,
    device="cpu",
)


def _sessions(n: int, seed: int) -> SessionStore:
    """Walk on by one or two items: the next one can be learnt."""
    rng = np.random.default_rng(seed)
    walks = [
        (rng.integers(N_ITEMS) + np.cumsum(rng.integers(1, 3, rng.integers(2, 8)))) % N_ITEMS
        for _ in range(n)
    ]
    return SessionStore.from_sequences([walk.tolist() for walk in walks])


TRAIN, VALIDATION = _sessions(200, 0), _sessions(40, 1)
SOME = [np.array([3, 4], np.int32), np.array([7], np.int32)]


def _fitted(config: GRU4RecConfig = CONFIG, **options) -> GRU4Rec:
    model = GRU4Rec(config, progress_bar=False, content=content(N_ITEMS))
    model.fit(TRAIN, vocabulary(N_ITEMS), VALIDATION, **options)
    return model


@pytest.fixture(scope="module")
def model() -> GRU4Rec:
    return _fitted()


def _head(model: GRU4Rec) -> ContentHead:
    assert model.head is not None
    return model.head


def test_equal_seeds_give_equal_weights(model: GRU4Rec):
    assert np.array_equal(model.score(SOME), _fitted().score(SOME))


def test_kept_and_restored_it_scores_the_same(model: GRU4Rec, tmp_path: Path):
    model.save_weights(tmp_path / "w.safetensors")

    again = GRU4Rec.restore(model.config(), tmp_path / "w.safetensors", vocabulary(N_ITEMS))

    assert np.array_equal(again.score(SOME), model.score(SOME))
    assert _head(again).words == {name: list(words) for name, words in _head(model).words.items()}
    assert _head(again).cold_bias == _head(model).cold_bias
    for name, value in _head(model).weights.items():
        assert np.array_equal(_head(again).weights[name], value)


def test_what_serves_reads_the_same_tables(model: GRU4Rec, tmp_path: Path):
    from crossrec_pipeline.models.registry import save_bundle

    bundle = save_bundle(model, vocabulary(N_ITEMS), tmp_path, inputs={})

    states, tensors = read_gru4rec(bundle.path, vocabulary(N_ITEMS))

    hidden = states.last_hidden(SOME)
    scores = hidden @ tensors["output_weight"].T + tensors["output_bias"]
    np.testing.assert_allclose(scores, model.score(SOME), atol=1e-5)


def test_interrupted_training_comes_to_the_same_weights(model: GRU4Rec, tmp_path: Path):
    class EnoughError(Exception):
        pass

    def stop(row: dict[str, float]) -> None:
        raise EnoughError

    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(EnoughError):
        _fitted(checkpoints=checkpoints, on_epoch=stop)
    again = GRU4Rec(CONFIG, progress_bar=False, content=content(N_ITEMS))
    report = again.fit(TRAIN, vocabulary(N_ITEMS), VALIDATION, checkpoints=checkpoints)

    assert report.summary["resumed"] == 1
    assert np.array_equal(again.score(SOME), model.score(SOME))


def test_a_checkpoint_of_other_content_is_not_gone_on_from(tmp_path: Path):
    checkpoints, lines = Checkpoints(tmp_path), list[str]()
    _fitted(checkpoints=checkpoints)
    items = catalogue(N_ITEMS)
    other = ItemContent.of(items.select("item_id", "item_type"), items, texts(N_ITEMS, width=5))
    again = GRU4Rec(CONFIG, progress_bar=False, content=other)

    again.fit(TRAIN, vocabulary(N_ITEMS), VALIDATION, lines.append, checkpoints=checkpoints)

    assert any("other content of items" in line for line in lines)


def test_new_items_are_scored_by_content_and_the_others_as_before(model: GRU4Rec):
    new = catalogue(3, first=N_ITEMS)
    known = _head(model).content_of(
        new.select("item_id", "item_type"), new, texts(3, first=N_ITEMS)
    )

    grown = model.grown(_head(model).rows(known))

    before, after = model.score(SOME), grown.score(SOME)
    assert after.shape == (2, N_ITEMS + 3)
    np.testing.assert_allclose(after[:, :N_ITEMS], before, atol=1e-6)
    assert np.isfinite(after).all()
    assert len(set(after[0, N_ITEMS:])) == 3, "each by its own content"
    grown.score([np.array([N_ITEMS + 1], np.int32)])  # and a session may begin with one


def test_equal_content_gives_equal_scores_wherever_an_item_comes(model: GRU4Rec):
    new = catalogue(2, first=N_ITEMS)
    rows = [
        _head(model).rows(
            _head(model).content_of(
                part.select("item_id", "item_type"), part, texts(2, first=N_ITEMS)
            )
        )
        for part in (new, new[1:])
    ]

    np.testing.assert_allclose(rows[0].weight[1], rows[1].weight[0], atol=1e-6)
    np.testing.assert_allclose(rows[0].bias[1], rows[1].bias[0], atol=1e-6)


def test_new_items_of_an_unknown_type_are_refused(model: GRU4Rec):
    new = catalogue(1, first=N_ITEMS)
    items = new.select("item_id", item_type=new["item_type"].replace({"Book": "Game"}))

    with pytest.raises(TrainingError, match="no items of the type 'Game'"):
        _head(model).content_of(items, new, texts(1, first=N_ITEMS))


def test_texts_of_another_encoder_are_refused(model: GRU4Rec):
    new = catalogue(1, first=N_ITEMS)
    items = new.select("item_id", "item_type")

    with pytest.raises(TrainingError, match="vectors of by hand, and there are those of other"):
        _head(model).content_of(items, new, Texts({"i24": np.ones(6)}, "other"))
    with pytest.raises(TrainingError, match="vectors of by hand, and there are none"):
        _head(model).content_of(items, new, None)


def test_a_model_that_reads_no_text_needs_none():
    model = _fitted(CONFIG.model_copy(update={"content": ("type", "genres")}))
    new = catalogue(2, first=N_ITEMS)

    known = _head(model).content_of(new.select("item_id", "item_type"), new, None)

    assert model.grown(_head(model).rows(known)).score(SOME).shape == (2, N_ITEMS + 2)


def test_a_model_of_ids_alone_has_no_head():
    model = _fitted(GRU4RecConfig(hidden_size=8, epochs=1, adapter_rank=2, device="cpu"))

    assert model.head is None


def test_text_that_no_item_has_is_asked_for():
    model = GRU4Rec(CONFIG, progress_bar=False)

    with pytest.raises(TrainingError, match="no item has a text vector"):
        model.fit(TRAIN, vocabulary(N_ITEMS), VALIDATION)


def test_content_of_other_items_is_refused():
    model = GRU4Rec(CONFIG, progress_bar=False, content=content(N_ITEMS - 1))

    with pytest.raises(TrainingError, match="24 items are, and 23 items is known"):
        model.fit(TRAIN, vocabulary(N_ITEMS), VALIDATION)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"content": ["words"]}, "content"),
        ({"content": ["type"], "embedding": "none"}, "needs one vector an item"),
        ({"adapter_rank": 2, "embedding": "separate", "embedding_dim": 4}, "one vector an item"),
        ({"id_dropout": 0.1}, "leaves nothing of an item without content"),
        ({"within_type_weight": 1, "loss": "bpr-max"}, "is of cross-entropy"),
        ({"balance_sessions": 2}, "less than or equal to 1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict, message: str):
    with pytest.raises(SettingsError, match=message):
        preset("default", **options)
