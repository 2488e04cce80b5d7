"""GRU4Rec's asset where torchrun trains: what is published, and what is said when it fails."""

import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from crossrec_pipeline.defs import models, torchrun
from crossrec_pipeline.models.registry import Bundle, latest_bundle, load_bundle
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.defs import failing_process, killed_process
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

N_ITEMS = 30

# Dagster says so of what its own Pipes use.
pytestmark = [
    pytest.mark.filterwarnings("ignore:AssetExecutionContext.run_id is deprecated"),
    # Each training starts three processes; that of two which nothing disturbs is made once.
    pytest.mark.xdist_group("torchrun"),
]


def _sessions(seed: int) -> SessionStore:
    rng = np.random.default_rng(seed)
    return SessionStore.from_sequences(
        [rng.integers(0, N_ITEMS, rng.integers(2, 7)).tolist() for _ in range(300)]
    )


def _settings(data_dir: Path) -> Settings:
    training = {"epochs": 2, "device": "cpu", "processes": 2, "seed": 3}
    settings = load_settings(data_dir=data_dir, training=training)
    train, validation, test = (_sessions(seed) for seed in range(3))
    dataset = SessionDataset(train, validation, test, numbered_vocabulary(N_ITEMS))
    dataset.save(settings.sessions_dir)
    return settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return _settings(tmp_path)


@dataclass(frozen=True)
class Trained:
    """What two processes that nothing disturbed have made, and what Dagster was told of it."""

    settings: Settings
    bundle: Bundle
    result: dg.ExecuteInProcessResult
    observed: list[dg.EventLogRecord]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    settings = _settings(tmp_path_factory.mktemp("undisturbed"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [models.gru4rec], instance=instance, resources={"settings": settings}
        )
        observed = instance.fetch_observations(models.model_key("gru4rec"), limit=10).records
    bundle = latest_bundle(settings.models_dir, "gru4rec")
    assert bundle is not None
    return Trained(settings, bundle, result, list(observed))


def test_two_processes_make_the_bundle_and_report_their_epochs(undisturbed: Trained):
    settings, bundle = undisturbed.settings, undisturbed.bundle
    assert bundle.manifest["training"]["summary"]["processes"] == 2
    assert bundle.manifest["seeds"] == {"training": 3}
    assert bundle.manifest["inputs"] == {
        "sessions/sequences": SessionDataset.open(settings.sessions_dir).digest
    }
    assert load_bundle(bundle.path).model.score([np.array([0, 1])]).shape == (1, N_ITEMS)
    assert len(undisturbed.observed) == 2
    shown = undisturbed.result.asset_materializations_for_node("models__gru4rec")[0]
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


@pytest.mark.parametrize("rank", [0, 1])
def test_training_goes_on_from_its_checkpoint_when_a_process_was_killed(
    settings, undisturbed: Trained, tmp_path, monkeypatch, capfd, rank
):
    killed = tmp_path / "killed"
    monkeypatch.setattr(torchrun, "_WORKER", killed_process.__name__)
    monkeypatch.setenv("CROSSREC_TEST_KILLED", f"{rank}:{killed}")
    often = settings.training.model_copy(update={"checkpoint_minutes": 1e-6})
    interrupted = settings.model_copy(update={"training": often})
    result = dg.materialize([models.gru4rec], resources={"settings": interrupted})
    assert result.success
    assert killed.exists()
    said = capfd.readouterr().err
    assert f"process {rank} of the training was killed (SIGKILL)" in said
    assert "going on from epoch" in said
    bundle = latest_bundle(settings.models_dir, "gru4rec")
    assert bundle is not None
    assert bundle.data_version == undisturbed.bundle.data_version


def test_after_the_last_restart_the_run_fails_and_says_why(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(torchrun, "_WORKER", killed_process.__name__)
    monkeypatch.setenv("CROSSREC_TEST_KILLED", f"1:{tmp_path / 'killed'}")
    once = settings.training.model_copy(update={"max_restarts": 0})
    result = dg.materialize(
        [models.gru4rec],
        resources={"settings": settings.model_copy(update={"training": once})},
        raise_on_error=False,
    )
    failure = result.failure_data_for_node("models__gru4rec")
    assert failure is not None
    assert failure.user_failure_data is not None
    said = str(failure.user_failure_data.description)
    assert "process 1 of the training was killed (SIGKILL)" in said
    assert "run again, with more memory" in said


def test_two_nodes_make_one_bundle(settings, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    training = settings.training.model_copy(
        update={"processes": 1, "nodes": 2, "rendezvous": f"127.0.0.1:{port}"}
    )
    config = models.gru4rec_config(settings, training)
    other = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", "1"),
            *("--master-addr", "127.0.0.1", "--master-port", str(port)),
            *("--nproc-per-node", "1", "-m", "crossrec_pipeline.models.gru4rec"),
            *("--sessions", str(settings.sessions_dir), "--models", str(tmp_path / "unused")),
            *("--config", config.model_dump_json()),
            *("--checkpoints", str(settings.checkpoints_dir / "gru4rec")),
        ]
    )
    result = dg.materialize(
        [models.gru4rec], resources={"settings": settings.model_copy(update={"training": training})}
    )
    assert other.wait(60) == 0
    assert result.success
    bundle = latest_bundle(settings.models_dir, "gru4rec")
    assert bundle is not None
    assert bundle.manifest["training"]["summary"]["processes"] == 2
    assert not (tmp_path / "unused").exists()


def test_several_nodes_without_a_place_to_meet_are_refused(settings):
    training = settings.training.model_copy(update={"nodes": 2})
    result = dg.materialize(
        [models.gru4rec],
        resources={"settings": settings.model_copy(update={"training": training})},
        raise_on_error=False,
    )
    failure = result.failure_data_for_node("models__gru4rec")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "CROSSREC_TRAINING__RENDEZVOUS=None" in str(failure.user_failure_data.description)


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
