"""GRU4Rec's asset where torchrun trains: what is published, and what is said when it fails."""

import json
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from crossrec_pipeline.defs import models, torchrun
from crossrec_pipeline.models.registry import latest_bundle, load_bundle
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.defs import failing_process
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

N_ITEMS = 30

# Dagster says so of what its own Pipes use.
pytestmark = pytest.mark.filterwarnings("ignore:AssetExecutionContext.run_id is deprecated")


def _sessions(seed: int) -> SessionStore:
    rng = np.random.default_rng(seed)
    return SessionStore.from_sequences(
        [rng.integers(0, N_ITEMS, rng.integers(2, 7)).tolist() for _ in range(300)]
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    training = {"epochs": 2, "device": "cpu", "processes": 2, "seed": 3}
    settings = load_settings(data_dir=tmp_path, training=training)
    train, validation, test = (_sessions(seed) for seed in range(3))
    dataset = SessionDataset(train, validation, test, numbered_vocabulary(N_ITEMS))
    dataset.save(settings.sessions_dir)
    return settings


def test_two_processes_make_the_bundle_and_report_their_epochs(settings):
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [models.gru4rec], instance=instance, resources={"settings": settings}
        )
        observed = instance.fetch_observations(models.model_key("gru4rec"), limit=10).records
    bundle = latest_bundle(settings.models_dir, "gru4rec")
    assert bundle is not None
    assert bundle.manifest["training"]["summary"]["processes"] == 2
    assert bundle.manifest["seeds"] == {"training": 3}
    assert bundle.manifest["inputs"] == {
        "sessions/sequences": SessionDataset.open(settings.sessions_dir).digest
    }
    assert load_bundle(bundle.path).model.score([np.array([0, 1])]).shape == (1, N_ITEMS)
    assert len(observed) == 2
    shown = result.asset_materializations_for_node("models__gru4rec")[0]
    assert shown.metadata["bundle"].value == str(bundle.path)
    assert shown.metadata["configuration"].value["epochs"] == 2  # type: ignore[index]
    assert shown.tags is not None
    assert shown.tags["dagster/data_version"] == bundle.data_version
    assert not list(settings.checkpoints_dir.iterdir())


def test_process_that_fails_ends_the_run_with_its_error(settings, monkeypatch):
    monkeypatch.setattr(torchrun, "_WORKER", failing_process.__name__)
    result = dg.materialize(
        [models.gru4rec], resources={"settings": settings}, raise_on_error=False
    )
    failure = result.failure_data_for_node("models__gru4rec")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.description == (
        "GRU4Rec: a process failed with MemoryError: there is no room for a fourth step"
    )
    assert latest_bundle(settings.models_dir, "gru4rec") is None


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ("TrainingError: GRU4Rec: the loss is nan.", "GRU4Rec: the loss is nan."),
        ("OSError: [Errno 5] x", "GRU4Rec: a process failed with OSError: [Errno 5] x"),
    ],
)
def test_error_for_people_is_said_as_it_is_and_others_with_their_kind(tmp_path, left, said):
    path = tmp_path / "error.json"
    path.write_text(json.dumps({"message": {"message": left, "extraInfo": {}}}))
    assert torchrun._first_error(path) == said
    assert torchrun._first_error(tmp_path / "absent.json") == ""
