"""Files and directories appear whole or not at all: write beside the target, then rename."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MARK = ".partial-"


def _partial_name(target: Path) -> Path:
    return target.with_name(f".{target.name}{_MARK}{os.getpid()}-{uuid.uuid4().hex[:8]}")


def _process_is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def remove_leftovers(parent: Path) -> list[Path]:
    """Delete partial output in `parent` whose writing process is gone (killed, power cut).

    Parameters
    ----------
    parent
        The directory that holds the targets.

    Returns
    -------
    list of Path
        What was deleted.
    """
    removed: list[Path] = []
    if not parent.is_dir():
        return removed
    for path in parent.iterdir():
        if not path.name.startswith(".") or _MARK not in path.name:
            continue
        pid = path.name.rsplit(_MARK, 1)[1].split("-", 1)[0]
        if pid.isdigit() and _process_is_alive(int(pid)):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        removed.append(path)
    return removed


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` if the block succeeds.

    On any exception (a full disk, Ctrl-C) the temporary file is deleted and `target` stays as it
    was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_name(target)
    try:
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield a fresh temporary directory; swap it in as `target` if the block succeeds.

    An existing `target` is moved aside, replaced and then deleted, so that a reader never sees a
    mixture of old and new files. On any exception `target` stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target.parent)
    partial = _partial_name(target)
    partial.mkdir()
    try:
        yield partial
        if target.exists():
            old = _partial_name(target)
            target.rename(old)
            partial.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
