"""A whole run that is killed, interrupted, met by another one, or finds its output damaged."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.content.embeddings import ItemEmbeddings
from crossrec_pipeline.defs.rebuild import only_run
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.models.gru4rec import train
from crossrec_pipeline.models.registry import (
    champion_path,
    list_bundles,
    open_bundle,
    promote,
)
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.built_world import BuiltWorld, built_world
from crossrec_pipeline_tests.lineage_world import a_third_of_the_rows_lost, as_is, one_genre_edited

pytestmark = pytest.mark.xdist_group("rebuild")

KILLED, INTERRUPTED = -9, 130

IN_PUBLISHING = """
import os, signal
from crossrec_pipeline import resources
create_schema = resources._create_schema
def killed(connection, table):
    # Named last: the new catalogue.items is in the open transaction.
    if table == "quality.build_history":
        os.kill(os.getpid(), signal.SIGKILL)
    create_schema(connection, table)
resources._create_schema = killed
"""

IN_TRAINING = """
import itertools, os, signal
from crossrec_pipeline.models.gru4rec import train
keep_state, steps = train.keep_state, itertools.count(1)
def stopped(*arguments):
    keep_state(*arguments)
    if next(steps) == 6:
        os.kill(os.getpid(), signal.{signal})
train.keep_state = stopped
os.environ["CROSSREC_TRAINING__CHECKPOINT_MINUTES"] = "{minutes}"
"""


def _progress(line: str, error: str) -> int:
    """Return how far the first epoch was, in per cent, when a run said so."""
    found = re.search(line + r" epoch 1, (\d+) %", error)
    assert found, error
    return int(found[1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


def test_a_run_can_be_killed_and_interrupted_anywhere_and_goes_on(
    world: BuiltWorld, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    before = world.published()
    world.accept("movies", one_genre_edited)

    killed = world.crossrec("run", before=IN_PUBLISHING)
    assert killed.returncode == KILLED, killed.stderr
    assert "✓ catalogue/staged_items" in killed.stderr
    assert world.published().equals(before)

    killed = world.crossrec("run", before=IN_TRAINING.format(signal="SIGKILL", minutes=1e-9))
    assert killed.returncode == KILLED, killed.stderr
    assert "✓ catalogue/items" in killed.stderr
    assert "going on from" not in killed.stderr
    assert not world.items().equals(before.items)
    assert (world.champion(), world.published().bundles) == (before.champion, before.bundles)

    interrupted = world.crossrec("run", before=IN_TRAINING.format(signal="SIGINT", minutes=5))
    assert interrupted.returncode == INTERRUPTED, interrupted.stderr
    first = _progress("going on from", interrupted.stderr)
    second = _progress("stopped at", interrupted.stderr)
    assert 0 < first < second
    assert interrupted.stderr.endswith(
        "Interrupted. Finished assets are kept; run again to go on.\n"
    )
    assert "Traceback" not in interrupted.stderr

    with monkeypatch.context() as patch:
        patch.setattr(train, "_epoch_line", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        assert world.exit_code("run") == INTERRUPTED
    error = capfd.readouterr().err
    assert _progress("going on from", error) == second
    assert "stopped at the end of epoch 1, the last one, which is kept" in error
    assert error.endswith("Interrupted. Finished assets are kept; run again to go on.\n")
    assert "Traceback" not in error
    assert world.champion() == before.champion
    assert world.leftovers() == []
    assert list(world.settings.checkpoints_dir.rglob("*.safetensors"))

    assert world.exit_code("run") == 0
    error = capfd.readouterr().err
    assert "going on from the end of epoch 1" in error
    assert "✓ models/gru4rec" in error
    assert not list(world.settings.checkpoints_dir.iterdir())
    assert "✓ catalogue/items" not in error
    assert world.champion() != before.champion
    assert world.leftovers() == []
    assert world.rebuild() == 0


def test_an_interruption_while_a_source_is_read_is_not_taken_for_a_bad_source(
    world: BuiltWorld, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    world.deliver("movies", a_third_of_the_rows_lost)
    with monkeypatch.context() as patch:
        patch.setattr(SourceReader, "load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            world.rebuild()
    world.deliver("movies", as_is)
    assert world.rebuild() == 0


def test_a_second_run_is_refused_and_names_the_first(world: BuiltWorld):
    with only_run(world.settings):
        second = world.crossrec("run")
    assert second.returncode == 2
    assert second.stderr.endswith(
        f"crossrec: Another crossrec run (process {os.getpid()}) is using "
        f"{world.settings.data_dir}. Wait for it, or set CROSSREC_DATA_DIR to another folder.\n"
    )


def test_a_full_disk_is_named_and_changes_nothing(
    world: BuiltWorld, monkeypatch: pytest.MonkeyPatch
):
    before, sessions = world.published(), SessionDataset.open(world.settings.sessions_dir).digest

    def full(_: Vocabulary, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    shorter = world.settings.sessions.model_copy(update={"max_length": 3})
    with monkeypatch.context() as patch:
        patch.setattr(Vocabulary, "save", full)
        with pytest.raises(CrossrecError) as caught:
            world.rebuild(sessions=shorter)
    assert str(caught.value).startswith("sessions/sequences: OSError: [Errno 28] No space left")
    assert str(caught.value).endswith("Make room and run again.")
    assert world.published().equals(before)
    assert SessionDataset.open(world.settings.sessions_dir).digest == sessions
    assert world.leftovers() == []
    assert world.rebuild() == 0


@pytest.mark.parametrize("name", ["weights.safetensors", "manifest.json"])
def test_a_damaged_champion_is_refused_and_the_next_run_mends_it(
    world: BuiltWorld, capsys: pytest.CaptureFixture[str], name: str
):
    served = champion_path(world.settings.models_dir)
    assert served is not None
    content = (served / name).read_bytes()
    (served / name).write_bytes(content[:-8])
    assert world.exit_code("recommend", "Movie_Creed III") == 2
    error = capsys.readouterr().err
    assert str(served / name) in error
    assert "train the model again: `crossrec run` notices and does so" in error

    # The same model again: the figures stay, the champion moves to it, and it is exported.
    assert world.rebuild() == 3
    mended = champion_path(world.settings.models_dir)
    assert mended not in (None, served)
    assert world.rebuild() == 0


def test_a_bundle_promoted_by_hand_stays_the_champion(world: BuiltWorld):
    models = world.settings.models_dir
    older = open_bundle(list_bundles(models, "gru4rec")[0])
    promote(models, older, reason="by hand")
    # At most it is exported again.
    assert world.rebuild() <= 1
    assert champion_path(models) == older.path
    assert world.rebuild() == 0


def test_truncated_sessions_are_built_again(world: BuiltWorld):
    array = world.settings.sessions_dir / "train" / "start_us.npy"
    array.write_bytes(array.read_bytes()[:-8])
    assert world.rebuild() == 1
    assert SessionDataset.open(world.settings.sessions_dir).train.n_sessions > 0


@pytest.mark.parametrize("is_torn", [True, False])
def test_damaged_or_deleted_embeddings_are_made_again_and_nothing_else(
    world: BuiltWorld, is_torn: bool
):
    path = world.settings.content_dir / "embeddings.parquet"
    before = ItemEmbeddings.open(path)
    content = path.read_bytes()
    path.unlink()
    if is_torn:
        path.write_bytes(content[:-8])
    assert world.rebuild() == 1
    assert ItemEmbeddings.open(path).version == before.version
    assert world.rebuild() == 0


def test_a_deleted_warehouse_is_built_again(world: BuiltWorld):
    items = world.items()
    world.settings.warehouse_path.unlink()
    assert world.rebuild() >= 3
    assert world.items().equals(items)
    assert world.rebuild() == 0


def test_what_a_check_refused_stays_refused_until_its_bound_is_raised(world: BuiltWorld):
    before = world.published()
    world.deliver("movies", a_third_of_the_rows_lost)
    for _ in range(2):
        with pytest.raises(CrossrecError, match="the check failed on what is listed above"):
            world.rebuild()
        assert world.published().equals(before)
    world.rebuild(quality={"max_shrink": 0.5, "max_fill_drift": 0.5})
    assert world.items().height < before.items.height


def test_a_refused_log_is_not_trained_on_at_the_second_try(world: BuiltWorld):
    before = world.published()
    strict = {"max_rejected_events_share": 0.0}
    known = [name for name in world.items()["item_id"] if name.replace("_", "").isalnum()]
    log = world.settings.data_dir / "log.csv"
    rows = [f"u{n % 40},{known[n * n % len(known)]},{1_700_000_000 + n * 60}" for n in range(3_000)]
    rows[7] = f"u7,Movie_None,{1_700_000_420}"
    log.write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    for _ in range(2):
        with pytest.raises(CrossrecError, match="the check failed on what is listed above"):
            world.rebuild(events=str(log), quality=strict)
        assert world.published().equals(before)
    world.deliver("movies", as_is)
    world.rebuild()
    assert world.rebuild() == 0


def test_a_folder_moved_aside_by_a_killed_run_is_put_back(world: BuiltWorld):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    sessions = world.settings.sessions_dir
    sessions.rename(sessions.with_name(f".{sessions.name}.replaced-{gone.pid}-00"))
    assert world.rebuild() == 0
    assert sessions.is_dir()
