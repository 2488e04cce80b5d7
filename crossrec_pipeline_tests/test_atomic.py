import os
import subprocess
import sys
from pathlib import Path

import pytest

from crossrec_pipeline.atomic import (
    atomic_directory,
    atomic_file,
    remove_directory,
    remove_leftovers,
    scratch_directory,
)


def gone_process_id() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_file_appears_when_the_block_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.txt"
    with atomic_file(target) as partial:
        partial.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file(tmp_path: Path, interruption: BaseException) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_file(target) as partial:
            partial.write_text("half")
            raise interruption

    with pytest.raises(type(interruption)):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_directory_appears_when_the_block_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "new" / "directory"
    with atomic_directory(target) as partial:
        (partial / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert list(target.parent.iterdir()) == [target]


def test_directory_is_replaced_and_not_mixed(tmp_path: Path) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    (target / "old").touch()
    with atomic_directory(target) as partial:
        (partial / "new").touch()
        assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()])
def test_failure_leaves_the_old_directory(tmp_path: Path, interruption: BaseException) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    (target / "old").touch()

    def write_half() -> None:
        with atomic_directory(target) as partial:
            (partial / "new").touch()
            raise interruption

    with pytest.raises(type(interruption)):
        write_half()
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_leftovers_of_gone_processes_are_deleted(tmp_path: Path) -> None:
    file = tmp_path / f".file.partial-{gone_process_id()}-00"
    file.touch()
    directory = tmp_path / f".directory.partial-{gone_process_id()}-00"
    directory.mkdir()
    (directory / "half").touch()
    assert set(remove_leftovers(tmp_path)) == {file, directory}
    assert list(tmp_path.iterdir()) == []


def test_output_of_living_processes_and_other_files_stay(tmp_path: Path) -> None:
    living = tmp_path / f".file.partial-{os.getppid()}-00"
    replacing = tmp_path / f".directory.replaced-{os.getppid()}-00"
    other = tmp_path / ".hidden"
    visible = tmp_path / "a.partial-1"
    for path in (living, replacing, other, visible):
        path.touch()
    assert remove_leftovers(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 4


def test_output_of_a_killed_process_with_this_ones_id_is_deleted(tmp_path: Path) -> None:
    leftover = tmp_path / f".file.partial-{os.getpid()}-00"
    leftover.touch()
    with atomic_file(tmp_path / "file") as partial:
        partial.touch()
        assert remove_leftovers(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_directory_that_is_not_there_has_no_leftovers(tmp_path: Path) -> None:
    assert remove_leftovers(tmp_path / "missing") == []


def test_killed_writer_leaves_the_old_directory_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    (target / "old").touch()
    killed = (
        "import os, signal, sys; from pathlib import Path\n"
        "from crossrec_pipeline.atomic import atomic_directory\n"
        "with atomic_directory(Path(sys.argv[1])) as partial:\n"
        "    (partial / 'new').touch(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", killed, str(target)], check=False)
    assert [path.name for path in target.iterdir()] == ["old"]
    with atomic_directory(target) as partial:
        (partial / "newer").touch()
    assert [path.name for path in target.iterdir()] == ["newer"]
    assert list(tmp_path.iterdir()) == [target]


def test_old_directory_is_back_when_the_new_one_cannot_take_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    (target / "old").touch()
    rename = Path.rename

    def refuse_the_new_one(path: Path, name: Path) -> Path:
        if ".partial-" in path.name and name == target:
            raise OSError("no such luck")
        return rename(path, name)

    def replace() -> None:
        with atomic_directory(target) as partial:
            (partial / "new").touch()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse_the_new_one)
        with pytest.raises(OSError, match="no such luck"):
            replace()
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


KILLED_BETWEEN_THE_RENAMES = """
import os, signal, sys
from pathlib import Path
from crossrec_pipeline.atomic import atomic_directory
rename = Path.rename
def killed(path, target):
    if ".partial-" in path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)
Path.rename = killed
with atomic_directory(Path(sys.argv[1])) as partial:
    (partial / "new").touch()
"""


def test_writer_killed_between_the_renames_does_not_cost_the_only_copy(tmp_path: Path) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    (target / "old").touch()
    killed = [sys.executable, "-c", KILLED_BETWEEN_THE_RENAMES, str(target)]
    subprocess.run(killed, check=False)
    assert not target.exists()

    def fail() -> None:
        with atomic_directory(target):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_directory_moved_aside_is_deleted_when_its_successor_is_there(tmp_path: Path) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    (target / "new").touch()
    old = tmp_path / f".directory.replaced-{gone_process_id()}-00"
    old.mkdir()
    (old / "old").touch()
    assert remove_leftovers(tmp_path) == [old]
    assert [path.name for path in target.iterdir()] == ["new"]


def test_scratch_directory_is_deleted_unless_it_was_moved(tmp_path: Path) -> None:
    with scratch_directory(tmp_path / "new", "weights") as scratch:
        (scratch / "kept").touch()
        (scratch / "not kept").touch()
        (scratch / "kept").rename(tmp_path / "kept")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept", "new"]


def test_directory_whose_deletion_is_broken_off_is_gone_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    (target / "file").touch()

    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            remove_directory(target)
    assert not target.exists()
    assert len(remove_leftovers(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []
