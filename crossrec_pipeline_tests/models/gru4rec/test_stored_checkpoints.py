import shutil
import uuid
from pathlib import Path

import pytest
import torch

from crossrec_pipeline.models.gru4rec.checkpoint import UnusableCheckpointError
from crossrec_pipeline.models.gru4rec.stored_checkpoints import StoredCheckpoints, checkpoints_in

IDENTITY = {"seed": 1}


@pytest.fixture
def store() -> str:
    return f"memory://{uuid.uuid4().hex}"


def on(machine: Path, store: str) -> StoredCheckpoints:
    """The checkpoints of one training on a machine."""
    return StoredCheckpoints(machine / "gru4rec", store=store)


def test_training_goes_on_on_another_machine(tmp_path: Path, store: str):
    on(tmp_path / "a", store).save(IDENTITY, {"weights": torch.arange(3.0), "epoch": 1})
    on(tmp_path / "a", store).save(IDENTITY, {"weights": torch.arange(4.0), "epoch": 2})
    found = on(tmp_path / "b", store).load(IDENTITY)
    assert found is not None
    assert found["epoch"] == 2
    assert torch.equal(found["weights"], torch.arange(4.0))


def test_what_lies_here_is_newer_than_what_was_sent(tmp_path: Path, store: str):
    here = on(tmp_path, store)
    here.save(IDENTITY, {"epoch": 1})
    super(StoredCheckpoints, here).save(IDENTITY, {"epoch": 2})
    assert here.load(IDENTITY) == {"epoch": 2}


def test_after_the_end_no_machine_finds_any(tmp_path: Path, store: str):
    on(tmp_path / "a", store).save(IDENTITY, {"epoch": 1})
    on(tmp_path / "a", store).remove()
    assert on(tmp_path / "b", store).load(IDENTITY) is None
    assert not (tmp_path / "a" / "gru4rec").exists()


def test_store_that_cannot_be_written_leaves_the_state_on_this_disk(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    checkpoints = on(tmp_path, f"file://{tmp_path}/file/store")
    with pytest.raises(OSError, match="it is on this disk alone"):
        checkpoints.save(IDENTITY, {"epoch": 1})
    assert checkpoints.load(IDENTITY) == {"epoch": 1}


def test_damaged_store_is_no_reason_to_fail_without_words(tmp_path: Path):
    shop = tmp_path / "store"
    store = f"file://{shop}"
    on(tmp_path / "a", store).save(IDENTITY, {"epoch": 1})
    for path in (shop / "objects").rglob("*"):
        if path.is_file():
            path.write_bytes(b"other")
    with pytest.raises(UnusableCheckpointError, match=str(shop)):
        on(tmp_path / "b", store).load(IDENTITY)
    shutil.rmtree(shop)
    assert on(tmp_path / "b", store).load(IDENTITY) is None


def test_without_a_store_the_folder_is_all(tmp_path: Path):
    assert not isinstance(checkpoints_in(tmp_path, 5, None), StoredCheckpoints)
    assert isinstance(checkpoints_in(tmp_path, 5, "memory://x"), StoredCheckpoints)
