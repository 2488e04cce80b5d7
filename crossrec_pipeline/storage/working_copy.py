"""An output's files on this disk, in; their contents by digest out, and others put in their place.

A folder of outputs has a hidden folder `.store` with, for each output, what was seen of it last (so
that an unchanged file is not read again), a lock, and what is being fetched.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crossrec_pipeline.atomic import (
    atomic_directory,
    atomic_file,
    is_unfinished,
    remove_directory,
)
from crossrec_pipeline.digests import file_sha256

_STATE = ".store"
_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Output:
    """Files that are made together, and seen by others together.

    Attributes
    ----------
    name
        A path of its own, such as ``models/gru4rec``.
    units
        Globs below the folder of outputs. Each file or folder that one matches is a unit: it is
        replaced as a whole, and left alone where it is the same.
    """

    name: str
    units: tuple[str, ...]


@dataclass(frozen=True)
class StoredFile:
    """The content of a file: its SHA-256 and its size in bytes."""

    sha256: str
    n_bytes: int


Units = Mapping[str, Mapping[str, StoredFile]]
"""Unit to its files; a unit that is a file itself has one, whose name is empty."""


class WorkingCopy:
    """An output in a folder of this disk; hold it (`with`) while it is looked at or changed.

    Parameters
    ----------
    output
        Which.
    root
        The folder of outputs.
    """

    def __init__(self, output: Output, root: Path) -> None:
        self._output = output
        self._root = root
        name = output.name.replace("/", "__")
        state = root / _STATE
        self._record_path = state / f"{name}.json"
        self._lock_path = state / f"{name}.lock"
        self.incoming_dir = state / "incoming" / name
        """Where files are put that are on their way here, by their SHA-256."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the output: of two processes of this machine, one waits for the other."""
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock_path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def path(self, unit: str, file: str) -> Path:
        """Return where a file of a unit lies."""
        return self._root / unit / file if file else self._root / unit

    def units(self) -> Units:
        """Look at what lies there; files that did not change since the last look are not read."""
        known = self._read_stamps()
        stamps: dict[str, tuple[_Stamp, str]] = {}
        found: dict[str, dict[str, StoredFile]] = {}
        for unit in self._find_units():
            for path in _files_of(unit):
                name = path.relative_to(self._root).as_posix()
                stat = path.stat()
                stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
                seen, sha256 = known.get(name, (None, ""))
                if seen != stamp:
                    sha256 = file_sha256(path)
                stamps[name] = (stamp, sha256)
                below = "" if path == unit else path.relative_to(unit).as_posix()
                files = found.setdefault(unit.relative_to(self._root).as_posix(), {})
                files[below] = StoredFile(sha256, stat.st_size)
        if stamps != known:
            self._write_stamps(stamps)
        return found

    def put(self, unit: str, files: Mapping[str, StoredFile], here: Units) -> None:
        """Put a unit in its place as a whole.

        Parameters
        ----------
        unit, files
            The unit and its content, each file of which lies here or in `incoming_dir`.
        here
            What `units` found.
        """
        target = self._root / unit
        old = {stored: self.path(unit, name) for name, stored in here.get(unit, {}).items() if name}
        if "" in files:
            if target.is_dir():
                remove_directory(target)
            with atomic_file(target) as partial:
                shutil.copyfile(self.incoming_dir / files[""].sha256, partial)
            return
        if target.is_file():
            target.unlink()
        with atomic_directory(target) as partial:
            for name, stored in files.items():
                place = partial / name
                place.parent.mkdir(parents=True, exist_ok=True)
                _link(old.get(stored, self.incoming_dir / stored.sha256), place)

    def remove(self, unit: str) -> None:
        """Delete a unit, at once."""
        target = self._root / unit
        if target.is_dir():
            remove_directory(target)
        else:
            target.unlink(missing_ok=True)

    def forget_incoming(self) -> None:
        """Delete what was fetched, once it is in its place."""
        shutil.rmtree(self.incoming_dir, ignore_errors=True)

    def _find_units(self) -> list[Path]:
        found = {
            path
            for pattern in self._output.units
            for path in self._root.glob(pattern)
            if not path.name.startswith(".")
        }
        return sorted(found)

    def _read_stamps(self) -> dict[str, tuple[_Stamp, str]]:
        try:
            content = json.loads(self._record_path.read_text())
            return {name: (tuple(stamp), sha256) for name, (stamp, sha256) in content.items()}
        except (OSError, ValueError, TypeError):
            return {}  # everything is read again

    def _write_stamps(self, stamps: Mapping[str, tuple[_Stamp, str]]) -> None:
        with atomic_file(self._record_path) as partial:
            partial.write_text(json.dumps(stamps))


def _files_of(unit: Path) -> list[Path]:
    """List the files of a unit; what another process is writing is none of them."""
    if unit.is_file():
        return [unit]
    return [
        path
        for path in sorted(unit.rglob("*"))
        if path.is_file() and not any(is_unfinished(part) for part in path.relative_to(unit).parts)
    ]


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; copy it where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
