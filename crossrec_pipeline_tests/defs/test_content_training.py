"""GRU4Rec reads what items are where the settings say so, and stands downstream of it then."""

import json
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from crossrec_pipeline.content.embeddings import EMBEDDINGS_FILE, ItemEmbeddings
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs import models
from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.registry import Bundle, latest_bundle, load_bundle
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.models.contents import catalogue, texts, vocabulary

N_ITEMS = 30
KEY = models.model_key("gru4rec")
SMALL = {"hidden_size": 4, "adapter_rank": 2, "id_dropout": 0.2}


def _settings(folder: Path, **training: object) -> Settings:
    options = {"epochs": 1, "device": "cpu", "content": "type,text,genres", "options": SMALL}
    return load_settings(data_dir=folder, training={**options, **training})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = _settings(tmp_path)
    rng = np.random.default_rng(0)
    parts = (
        SessionStore.from_sequences([rng.integers(0, N_ITEMS, 5).tolist() for _ in range(60)])
        for _ in range(3)
    )
    SessionDataset(*parts, vocabulary=vocabulary(N_ITEMS)).save(settings.sessions_dir)
    items = catalogue(N_ITEMS)
    Warehouse(path=str(settings.warehouse_path)).replace_tables({"catalogue.items": items})
    return settings


def _embed(settings: Settings) -> ItemEmbeddings:
    ids = [f"i{number}" for number in range(N_ITEMS)]
    vectors, _ = texts(N_ITEMS).rows(ids)
    types = catalogue(N_ITEMS)["item_type"].to_list()
    embeddings = ItemEmbeddings(ids, types, ids, vectors, "by hand")
    settings.content_dir.mkdir(parents=True, exist_ok=True)
    embeddings.save(settings.content_dir / EMBEDDINGS_FILE)
    return embeddings


def _train(settings: Settings) -> dg.ExecuteInProcessResult:
    asset = next(
        asset
        for asset in models.model_assets(settings)
        if KEY in asset.keys  # of several in one step too
    )
    return dg.materialize([asset], resources={"settings": settings}, raise_on_error=False)


def _bundle(settings: Settings) -> Bundle:
    bundle = latest_bundle(settings.models_dir, "gru4rec")
    assert bundle is not None
    return bundle


def test_the_bundle_knows_content_and_what_it_was_read_from(settings: Settings):
    embeddings = _embed(settings)

    assert _train(settings).success

    bundle = _bundle(settings)
    assert bundle.manifest["inputs"]["content/embeddings"] == embeddings.version
    model = load_bundle(bundle.path).model
    assert isinstance(model, GRU4Rec)
    assert model.head is not None
    assert model.head.encoder == "by hand"
    assert set(model.head.weights) == {"types", "texts", "genres", "adapter_down", "adapter_up"}
    config = json.loads((bundle.path / "config.json").read_text())
    assert (config["content"], config["hidden_size"]) == (["type", "text", "genres"], 4)


def test_items_that_were_not_embedded_are_asked_for(settings: Settings):
    result = _train(settings)

    assert not result.success
    failure = result.failure_data_for_node("models__gru4rec")
    assert failure is not None
    assert failure.error is not None
    assert "embeddings.parquet" in failure.error.message


def test_several_processes_read_the_same(settings: Settings):
    embeddings = _embed(settings)
    two = _settings(settings.data_dir, processes=2)

    assert _train(two).success

    bundle = _bundle(two)
    assert bundle.manifest["inputs"]["content/embeddings"] == embeddings.version
    assert bundle.manifest["training"]["summary"]["processes"] == 2
    model = load_bundle(bundle.path).model
    assert isinstance(model, GRU4Rec)
    assert model.head is not None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", {"sessions/sequences"}),
        ("type", {"sessions/sequences", "content/embeddings", "catalogue/items"}),
    ],
)
def test_embeddings_are_upstream_only_where_they_are_read(content: str, expected: set[str]):
    defs = build_definitions(load_settings(training={"content": content}))
    parents = defs.resolve_asset_graph().get(KEY).parent_keys

    assert {key.to_user_string() for key in parents} == expected


def test_a_field_with_a_setting_of_its_own_is_set_there(tmp_path: Path):
    settings = _settings(tmp_path, options={"epochs": 3})

    with pytest.raises(SettingsError, match="Set CROSSREC_TRAINING__EPOCHS instead"):
        models.gru4rec_config(settings, settings.training)


def test_an_unknown_option_is_named(tmp_path: Path):
    settings = _settings(tmp_path, options={"depth": 3})

    with pytest.raises(SettingsError, match="cannot take depth=3"):
        models.gru4rec_config(settings, settings.training)


def test_another_option_retrains(tmp_path: Path):
    versions = {
        build_definitions(_settings(tmp_path, options={**SMALL, "adapter_rank": rank}))
        .resolve_asset_graph()
        .get(KEY)
        .code_version
        for rank in (2, 4)
    }

    assert len(versions) == 2


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CROSSREC_TRAINING__CONTENT", "type, text")
    monkeypatch.setenv("CROSSREC_TRAINING__OPTIONS", '{"adapter_rank": 8}')

    training = load_settings().training

    assert training.content == ("type", "text")
    assert training.options == {"adapter_rank": 8}


def test_unknown_content_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CROSSREC_TRAINING__CONTENT", "words")

    with pytest.raises(SettingsError, match="CROSSREC_TRAINING__CONTENT"):
        load_settings()


def test_what_is_known_of_items_is_in_the_catalogues_words(settings: Settings):
    _embed(settings)
    content, inputs = models.item_content(settings, vocabulary(N_ITEMS), ("text",))

    assert content is not None
    assert content.types == ("Book", "Movie")
    assert content.genres.words == ("crime", "love", "war")
    assert inputs.keys() == {"content/embeddings"}
    nothing, none = models.item_content(settings, vocabulary(N_ITEMS), ())
    assert (nothing, none) == (None, {})
