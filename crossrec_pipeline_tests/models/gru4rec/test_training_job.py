import json
from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.errors import SessionsError, SettingsError, TrainingError
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.gru4rec.training_job import TrainingJob, exit_code, job_of
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.models.registry import load_bundle
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

N_ITEMS = 12
PLACES = ("--sessions", "sessions", "--models", "models")


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    rng = np.random.default_rng(0)
    train, validation, test = (
        SessionStore.from_sequences([rng.integers(0, N_ITEMS, 5).tolist() for _ in range(20)])
        for _ in range(3)
    )
    SessionDataset(train, validation, test, numbered_vocabulary(N_ITEMS)).save(
        tmp_path / "sessions"
    )
    options = json.dumps({"epochs": 2, "hidden_size": 4, "device": "cpu", "seed": 5})
    return job_of(
        [
            *("--sessions", str(tmp_path / "sessions"), "--models", str(tmp_path / "models")),
            *("--config", options, "--checkpoints", str(tmp_path / "checkpoints")),
        ]
    )


def test_alone_it_saves_a_bundle_and_removes_the_checkpoint(job):
    lines: list[str] = []
    bundle = job.run(lines.append)
    assert bundle is not None
    assert bundle.path.parent == job.models_dir / "gru4rec"
    assert load_bundle(bundle.path).model.config()["epochs"] == 2
    assert bundle.manifest["inputs"] == {
        "sessions/sequences": SessionDataset.open(job.sessions_dir).digest
    }
    assert bundle.manifest["seeds"] == {"training": 5}
    assert len(bundle.manifest["training"]["history"]) == 2
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert not job.checkpoints.folder.exists()


def test_fields_are_put_over_the_preset():
    job = job_of([*PLACES, "--preset", "classic", "--config", '{"epochs": 3}'])
    assert (job.config.epochs, job.config.hidden_size) == (3, 256)
    assert job.checkpoints is None


def test_checkpoints_are_written_as_often_as_asked():
    job = job_of([*PLACES, "--checkpoints", "kept", "--checkpoint-minutes", "2"])
    assert job.checkpoints == Checkpoints(Path("kept"), 2.0)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("epochs=3", "--config 'epochs=3' is no JSON object"),
        ("3", "--config '3' is no JSON object"),
        ('{"epochs": 0}', "cannot take epochs=0"),
        ('{"depth": 1}', "cannot take depth=1"),
    ],
)
def test_impossible_configuration_is_refused(config, words):
    with pytest.raises(SettingsError, match=words):
        job_of([*PLACES, "--config", config])


def test_absent_sessions_are_refused(tmp_path):
    job = job_of(["--sessions", str(tmp_path / "absent"), "--models", str(tmp_path)])
    with pytest.raises(SessionsError, match="absent does not exist"):
        job.run(print)


@pytest.mark.parametrize(("rank", "printed"), [("0", "crossrec: no sessions\n"), ("1", "")])
def test_error_for_people_is_printed_once_and_left_for_torchrun(
    rank, printed, tmp_path, monkeypatch, capfd
):
    def refused() -> None:
        raise TrainingError("no sessions")

    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    assert exit_code(refused) == 2
    assert capfd.readouterr().err == printed
    left = json.loads((tmp_path / "error.json").read_text())
    assert left["message"]["message"] == "TrainingError: no sessions"


def test_exit_code_tells_an_interruption_from_the_end():
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert exit_code(interrupted) == 130
    assert exit_code(lambda: None) == 0


def test_content_is_read_and_further_inputs_are_told(job, tmp_path):
    vocabulary = SessionDataset.open(job.sessions_dir).vocabulary
    ItemContent.unknown(vocabulary).save(tmp_path / "content.safetensors")
    with_content = job_of(
        [
            *("--sessions", str(job.sessions_dir), "--models", str(job.models_dir)),
            *("--config", '{"epochs": 1, "hidden_size": 4, "content": ["type"], "device": "cpu"}'),
            *("--content", str(tmp_path / "content.safetensors")),
            *("--inputs", '{"content/embeddings": "0a1b"}'),
        ]
    )

    bundle = with_content.run(lambda _: None)

    assert bundle is not None
    assert bundle.manifest["inputs"]["content/embeddings"] == "0a1b"
    model = load_bundle(bundle.path).model
    assert isinstance(model, GRU4Rec)
    assert model.head is not None


def test_inputs_that_are_no_object_are_refused():
    with pytest.raises(SettingsError, match="--inputs '3' is no JSON object"):
        job_of([*PLACES, "--inputs", "3"])
