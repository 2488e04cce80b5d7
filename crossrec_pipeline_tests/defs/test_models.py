"""What the UI shows of a training while it goes on and afterwards."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs import models
from crossrec_pipeline.models.gru4rec import train
from crossrec_pipeline.models.registry import latest_bundle, load_bundle
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

N_ITEMS = 30
KEY = models.model_key("gru4rec")


def _sessions(seed: int) -> SessionStore:
    rng = np.random.default_rng(seed)
    return SessionStore.from_sequences(
        [rng.integers(0, N_ITEMS, rng.integers(2, 7)).tolist() for _ in range(300)]
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(data_dir=tmp_path, training={"epochs": 2, "device": "cpu"})
    train, validation, test = (_sessions(seed) for seed in range(3))
    dataset = SessionDataset(train, validation, test, numbered_vocabulary(N_ITEMS))
    dataset.save(settings.sessions_dir)
    return settings


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def _materialise(settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [models.gru4rec],
        instance=instance,
        resources={"settings": settings},
        raise_on_error=False,
    )


def _observed(instance: dg.DagsterInstance) -> list[dict[str, object]]:
    records = instance.fetch_observations(KEY, limit=10).records[::-1]
    return [
        {name: value.value for name, value in record.asset_observation.metadata.items()}
        for record in records
        if record.asset_observation
    ]


def test_each_epoch_is_observed_with_its_figures(settings, instance):
    assert _materialise(settings, instance).success
    epochs = _observed(instance)
    assert [figures["epoch"] for figures in epochs] == [1, 2]
    bundle = latest_bundle(settings.models_dir, "gru4rec")
    assert bundle is not None
    history = bundle.manifest["training"]["history"]
    assert [figures["loss"] for figures in epochs] == [row["loss"] for row in history]
    assert [figures["validation recall@20"] for figures in epochs] == [
        row["recall_at_20"] for row in history
    ]
    assert all(figures["events/s"] > 0 for figures in epochs)  # type: ignore[operator]


def test_model_card_is_shown_and_lies_in_the_bundle(settings, instance):
    result = _materialise(settings, instance)
    shown = result.asset_materializations_for_node("models__gru4rec")[0].metadata["model card"]
    bundle = latest_bundle(settings.models_dir, "gru4rec")
    assert bundle is not None
    assert shown.value == (bundle.path / "MODEL_CARD.md").read_text()


def test_interrupted_run_goes_on_when_materialised_again(settings, instance, monkeypatch):
    def interrupted(row, epochs):
        raise KeyboardInterrupt

    def scores():
        bundle = latest_bundle(settings.models_dir, "gru4rec")
        assert bundle is not None
        return load_bundle(bundle.path).model.score([np.array([0, 1])])

    with monkeypatch.context() as patch:
        patch.setattr(train, "_epoch_line", interrupted)
        assert not _materialise(settings, instance).success
    assert list(settings.checkpoints_dir.rglob("*.safetensors"))
    assert latest_bundle(settings.models_dir, "gru4rec") is None

    assert _materialise(settings, instance).success
    assert [figures["epoch"] for figures in _observed(instance)] == [1, 2]
    assert not list(settings.checkpoints_dir.iterdir())
    resumed = scores()
    assert _materialise(settings, instance).success
    np.testing.assert_array_equal(resumed, scores())


def test_failed_saving_keeps_the_training(settings, instance, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(models, "save_bundle", full)
        assert not _materialise(settings, instance).success
    assert list(settings.checkpoints_dir.rglob("*.safetensors"))
    monkeypatch.setattr(train, "keep_state", None)  # no step is made any more
    assert _materialise(settings, instance).success


def _code_version(**training: object) -> str | None:
    defs = build_definitions(load_settings(training=training))
    return defs.resolve_asset_graph().get(KEY).code_version


def test_how_often_checkpoints_are_written_does_not_retrain():
    assert _code_version(checkpoint_minutes=1) == _code_version(checkpoint_minutes=60)
    assert _code_version(epochs=1) != _code_version(epochs=2)


def test_another_number_of_processes_retrains():
    assert _code_version(processes=1) != _code_version(processes=2)
