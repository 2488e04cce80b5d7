"""Files and directories appear whole or not at all: write beside the target, then rename."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PARTIAL = ".partial-"
"""Marks what is not whole yet, or on its way out: it may be deleted once its process is gone."""

_REPLACED = ".replaced-"
"""Marks an old directory moved aside: the only good copy until the new one has its name."""

_in_use: set[str] = set()
"""Hidden names of this process: its id may be that of a killed one, as in a restarted container."""


@contextmanager
def _name_beside(target: Path, mark: str) -> Iterator[Path]:
    path = target.with_name(f".{target.name}{mark}{os.getpid()}-{uuid.uuid4().hex[:8]}")
    _in_use.add(path.name)
    try:
        yield path
    finally:
        _in_use.discard(path.name)


def _process_is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_left_over(name: str, mark: str) -> bool:
    """Say whether a hidden name bears a mark, and its process no longer needs it."""
    if not name.startswith(".") or mark not in name:
        return False
    pid = name.rsplit(mark, 1)[1].split("-", 1)[0]
    if pid.isdigit() and int(pid) == os.getpid():
        return name not in _in_use
    return not (pid.isdigit() and _process_is_alive(int(pid)))


def is_unfinished(name: str) -> bool:
    """Say whether a name is that of output on its way in or out, whosever process it is."""
    return name.startswith(".") and (_PARTIAL in name or _REPLACED in name)


def remove_leftovers(parent: Path) -> list[Path]:
    """Clear up in `parent` after processes that are gone (killed, power cut).

    Partial output is deleted. A directory that was moved aside, and whose successor never got its
    name, is moved back.

    Parameters
    ----------
    parent
        The directory that holds the targets.

    Returns
    -------
    list of Path
        What was deleted.
    """
    if not parent.is_dir():
        return []
    # A log has thousands of days, and each file of them is written beside all others.
    with os.scandir(parent) as entries:
        hidden = [entry.name for entry in entries if entry.name.startswith(".")]
    moved_aside = [parent / name for name in hidden if _is_left_over(name, _REPLACED)]
    removed = [parent / name for name in hidden if _is_left_over(name, _PARTIAL)]
    removed += [path for path in moved_aside if not _put_back(path)]
    for path in removed:
        _delete(path)
    return removed


def _put_back(old: Path) -> bool:
    """Give a directory that was moved aside its name again, unless its successor has it."""
    target = old.with_name(old.name[1:].rsplit(_REPLACED, 1)[0])
    if target.exists():
        return False
    with suppress(FileNotFoundError):  # another process has just done so
        old.rename(target)
    return True


def _delete(path: Path) -> None:
    # Another process may be at it too.
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _write_through(path: Path) -> None:
    """Have the disk hold a file's content before its name: a power cut must not leave it empty."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` if the block succeeds.

    On any exception (a full disk, Ctrl-C) the temporary file is deleted and `target` stays as it
    was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target.parent)
    with _name_beside(target, _PARTIAL) as partial:
        try:
            yield partial
            _write_through(partial)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield a fresh temporary directory; swap it in as `target` if the block succeeds.

    An existing `target` is moved aside, replaced and then deleted, so that a reader never sees a
    mixture of old and new files. On any exception `target` stays as it was; if the process is
    killed between the two moves, the next writer beside it (or `remove_leftovers`) moves it back.
    """
    with scratch_directory(target.parent, target.name) as partial:
        yield partial
        for path in partial.rglob("*"):
            if path.is_file():
                _write_through(path)
        _swap_in(partial, target)


def _swap_in(partial: Path, target: Path) -> None:
    if not target.exists():
        partial.rename(target)
        return
    with _name_beside(target, _REPLACED) as old:
        try:
            target.rename(old)
            partial.rename(target)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def scratch_directory(parent: Path, name: str) -> Iterator[Path]:
    """Yield a fresh directory in `parent`, deleted afterwards unless it was moved.

    It has a hidden name with `name` in it, which `remove_leftovers` knows if this process is
    killed.
    """
    parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parent)
    with _name_beside(parent / name, _PARTIAL) as scratch:
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def remove_directory(target: Path) -> None:
    """Delete a directory at once: a reader finds it whole or not at all, even if this is killed."""
    with _name_beside(target, _PARTIAL) as doomed:
        target.rename(doomed)
        shutil.rmtree(doomed)
