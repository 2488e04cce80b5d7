"""Outputs on this disk in; whole versions of them at a URL out, and back to any other disk.

Below the URL lie

- ``objects/<2 characters>/<SHA-256>``: contents, written once and never changed;
- ``versions/<output>/<version>.json``: which files an output is made of, each by its SHA-256;
- ``current/<output>.json``: the newest version, written last, so that a reader finds the old files
  or the new ones, never a mixture.

Of several writers of one output at once the last one to write ``current`` wins, whole. Nobody is
locked out.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from crossrec_pipeline.digests import file_sha256, json_digest
from crossrec_pipeline.errors import StorageError
from crossrec_pipeline.storage.location import (
    explained,
    open_location,
    send_bytes,
    send_file,
)
from crossrec_pipeline.storage.transfers import Progress, amount, transfer_all
from crossrec_pipeline.storage.working_copy import Output, StoredFile, Units, WorkingCopy

FORMAT_VERSION = 1
SPARED = timedelta(days=1)
"""What is younger is not pruned: a writer may be about to name it."""

_CURRENT = "current"
_VERSIONS = "versions"
_OBJECTS = "objects"
_TRUSTED = SPARED / 2
"""An object that is younger need not be sent again: it will not be pruned before it is named."""


@dataclass(frozen=True)
class Version:
    """One version of an output.

    Attributes
    ----------
    output
        Which output.
    version
        UTC time and digest of the content; versions of an output sort by time.
    units
        Its files.
    """

    output: Output
    version: str
    units: Units

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(stored.n_bytes for _, _, stored in _all_files(self.units))


class Store:
    """Versions of outputs at a URL of any file system that fsspec knows.

    Parameters
    ----------
    url
        ``s3://bucket/prefix``, for example. It need not exist yet; a bucket must.

    Raises
    ------
    StorageError
        If the protocol is not known, or what it needs is not installed.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        fs, path = open_location(self._url)
        self._fs, self._path = fs, path.rstrip("/")

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._url

    def current(self, name: str) -> Version | None:
        """Return the newest version of an output, or None where there is none yet.

        Raises
        ------
        StorageError
            If it cannot be read.
        """
        content = self._read_json(f"{_CURRENT}/{name}.json")
        return None if content is None else self._version(content)

    def names(self, below: str = "") -> list[str]:
        """List the outputs whose name begins with a folder, all by default."""
        folder = f"{_CURRENT}/{below}".rstrip("/")
        found = self._find(folder)
        start = len(self._at(_CURRENT)) + 1
        return sorted(path[start:].removesuffix(".json") for path in found)

    def publish(self, output: Output, root: Path, say: Progress) -> Version | None:
        """Make what lies in a folder the newest version of an output.

        Files that the version before has, or that were sent within the last hours, are not sent
        again: a call that was broken off goes on.

        Parameters
        ----------
        output
            Which.
        root
            The folder of outputs.
        say
            Receives a line where something was sent.

        Returns
        -------
        Version
            The newest one; None where there is nothing here and nothing there.

        Raises
        ------
        StorageError
            If it cannot be written, or a file changed while it was sent; the version before stays
            the newest.
        """
        copy = WorkingCopy(output, root)
        with copy.held():
            units = copy.units()
            before = self.current(output.name)
            if before is None and not units:
                return None
            if before is not None and before.units == units:
                return before
            self._send_all(copy, units, before, say)
            version = Version(output, _new_version(units), units)
            content = json.dumps(_as_json(version), indent=1).encode()
            with explained(self._url):
                send_bytes(content, self._fs, self._version_path(version))
                send_bytes(content, self._fs, self._at(f"{_CURRENT}/{output.name}.json"))
            return version

    def fetch(self, output: Output, root: Path, say: Progress) -> Version | None:
        """Make what lies in a folder the newest version of an output, if there is one.

        Only what differs is read, and put in place when all of it is here and is what its SHA-256
        says. What the newest version does not have is deleted.

        Parameters
        ----------
        output
            Which.
        root
            The folder of outputs.
        say
            Receives a line where something was read.

        Returns
        -------
        Version
            The newest one; None where there is none, and the folder is left as it is.

        Raises
        ------
        StorageError
            If it cannot be read, or is damaged; the folder is left as it is.
        """
        newest = self.current(output.name)
        if newest is not None:
            copy = WorkingCopy(output, root)
            with copy.held():
                here = self._bring(copy, newest.units, output.name, say)
                for unit in here.keys() - newest.units.keys():
                    copy.remove(unit)
        return newest

    def fetch_all(self, outputs: Sequence[Output], root: Path, say: Progress) -> None:
        """Fetch several outputs, a few at a time.

        Raises
        ------
        StorageError
            If one of them cannot be read, or is damaged; that one is left as it is here.
        """

        def fetch(output: Output) -> Version | None:
            return self.fetch(output, root, say)

        transfer_all(fetch, outputs, lambda n: say(f"{n} of {len(outputs)} outputs are here"))

    def fetch_units(
        self, version: Version, units: Iterable[str], root: Path, say: Progress
    ) -> None:
        """Make some units in a folder those of a version, and leave all others alone.

        Raises
        ------
        StorageError
            If the version has no such unit, or it cannot be read, or is damaged.
        """
        wanted = {unit: version.units[unit] for unit in units}
        copy = WorkingCopy(Output(version.output.name, tuple(wanted)), root)
        with copy.held():
            self._bring(copy, wanted, version.output.name, say)

    def read(self, version: Version, unit: str) -> bytes:
        """Read a unit that is a file, without a copy of it on this disk.

        Raises
        ------
        StorageError
            If it cannot be read.
        """
        path = self._object_path(version.units[unit][""].sha256)
        with explained(self._url):
            return cast("bytes", self._fs.cat_file(path))

    def prune(self, keep: int, spared: timedelta = SPARED) -> int:
        """Delete all but the newest versions of each output, and the contents that none is left of.

        Parameters
        ----------
        keep
            Versions of each output that stay, at least 1.
        spared
            What is younger stays in any case.

        Returns
        -------
        int
            Bytes that were deleted.

        Raises
        ------
        StorageError
            If `keep` is below 1, or something cannot be read or deleted.
        """
        if keep < 1:
            raise StorageError(f"keep={keep} would delete every output; keep at least 1.")
        # Listed before what names them: what is sent from now on is not among them.
        objects = self._find(_OBJECTS)
        latest = datetime.now(UTC) - spared
        versions: dict[str, list[str]] = {}
        for path in self._find(_VERSIONS):
            versions.setdefault(path.rpartition("/")[0], []).append(path)
        named = set()
        for paths in versions.values():
            for number, path in enumerate(sorted(paths, reverse=True)):
                if number >= keep and self._is_older(path, latest):
                    with explained(self._url):
                        self._fs.rm_file(path)
                else:
                    named |= self._objects_named(path)
        for name in self.names():
            named |= self._objects_named(self._at(f"{_CURRENT}/{name}.json"))
        deleted = 0
        for path, size in objects.items():
            if path.rpartition("/")[2] not in named and self._is_older(path, latest):
                with explained(self._url):
                    self._fs.rm_file(path)
                deleted += size
        return deleted

    def _send_all(
        self, copy: WorkingCopy, units: Units, before: Version | None, say: Progress
    ) -> None:
        there = {stored for _, _, stored in _all_files(before.units)} if before else set()
        places = {
            stored: copy.path(unit, name)
            for unit, name, stored in _all_files(units)
            if stored not in there
        }

        def send(item: tuple[StoredFile, Path]) -> int:
            return self._send(*item)

        def tell(n_done: int) -> None:
            say(f"{n_done:,} of {len(places):,} files sent to {self._url}")

        sent = transfer_all(send, list(places.items()), tell)
        if n_bytes := sum(sent):
            say(f"sent {amount(n_bytes)} to {self._url} (new files: {len(places):,})")

    def _send(self, stored: StoredFile, source: Path) -> int:
        """Send one file unless it is there, and return the bytes sent."""
        target = self._object_path(stored.sha256)
        with explained(self._url):
            if self._is_trusted(target, stored.n_bytes):
                return 0
            stamp = source.stat().st_mtime_ns
            send_file(source, self._fs, target)
            if (source.stat().st_mtime_ns, source.stat().st_size) == (stamp, stored.n_bytes):
                return stored.n_bytes
            self._fs.rm_file(target)
        raise StorageError(
            f"{source} changed while it was sent to {self._url}. Run again when nothing else "
            "writes to it."
        )

    def _is_trusted(self, path: str, n_bytes: int) -> bool:
        try:
            self._fs.invalidate_cache()
            found = self._fs.info(path)["size"]
            return found == n_bytes and not self._is_older(path, datetime.now(UTC) - _TRUSTED)
        except FileNotFoundError:
            return False

    def _bring(self, copy: WorkingCopy, wanted: Units, name: str, say: Progress) -> Units:
        """Put units in their place where they differ, and return what lay there."""
        here = copy.units()
        differing = {unit: files for unit, files in wanted.items() if here.get(unit) != files}
        missing = {
            stored
            for unit, files in differing.items()
            for stored in files.values()
            # A single file is never a link to another one.
            if "" in files or stored not in here.get(unit, {}).values()
        }

        def receive(stored: StoredFile) -> None:
            self._receive(stored, copy.incoming_dir)

        def tell(n_done: int) -> None:
            say(f"{name}: {n_done:,} of {len(missing):,} files read from {self._url}")

        transfer_all(receive, sorted(missing, key=lambda stored: stored.sha256), tell)
        for unit, files in differing.items():
            copy.put(unit, files, here)
        if differing:
            copy.forget_incoming()
            n_bytes = sum(stored.n_bytes for stored in missing)
            say(f"{name}: read {amount(n_bytes)} from {self._url} (new files: {len(missing):,})")
        return here

    def _receive(self, stored: StoredFile, folder: Path) -> None:
        """Read one object whole, unless it is here from a call that was broken off."""
        target = folder / stored.sha256
        if target.is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        path = self._object_path(stored.sha256)
        with explained(f"{self._url}/{_OBJECTS}"):
            self._fs.get_file(path, os.fspath(partial))
        if file_sha256(partial) != stored.sha256:
            partial.unlink()
            raise StorageError(
                f"The object {path} of {self._url} is damaged: its SHA-256 is not its name. Delete "
                "it, and publish the output again from a machine that has it, or build it again."
            )
        partial.rename(target)

    def _version(self, content: Mapping[str, Any]) -> Version:
        if content.get("format_version") != FORMAT_VERSION:
            raise StorageError(
                f"{self._url} holds format version {content.get('format_version')!r}; this version "
                f"reads {FORMAT_VERSION}. Use the version that wrote it, or another prefix."
            )
        units = {
            unit: {name: StoredFile(**stored) for name, stored in files.items()}
            for unit, files in content["units"].items()
        }
        output = Output(content["output"], tuple(content["patterns"]))
        return Version(output, content["version"], units)

    def _objects_named(self, path: str) -> set[str]:
        content = self._read_json(path.removeprefix(self._path).lstrip("/"))
        if content is None:
            return set()
        return {stored.sha256 for _, _, stored in _all_files(self._version(content).units)}

    def _read_json(self, name: str) -> dict[str, Any] | None:
        with explained(self._url):
            try:
                text = self._fs.cat_file(self._at(name))
            except FileNotFoundError:
                return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise StorageError(
                f"{self._url}/{name} is damaged ({error}). Delete it, and publish the output again."
            ) from error

    def _find(self, folder: str) -> dict[str, int]:
        """List the files below a folder with their sizes."""
        with explained(self._url):
            self._fs.invalidate_cache()
            try:
                found = self._fs.find(self._at(folder), detail=True)
            except FileNotFoundError:
                return {}
        assert isinstance(found, dict)  # details were asked for
        return {path: info["size"] for path, info in found.items() if not _is_hidden(path)}

    def _is_older(self, path: str, time: datetime) -> bool:
        with explained(self._url):
            return self._fs.modified(path) < time

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _object_path(self, sha256: str) -> str:
        return self._at(f"{_OBJECTS}/{sha256[:2]}/{sha256}")

    def _version_path(self, version: Version) -> str:
        return self._at(f"{_VERSIONS}/{version.output.name}/{version.version}.json")


def _all_files(units: Units) -> Iterator[tuple[str, str, StoredFile]]:
    for unit, files in units.items():
        for name, stored in files.items():
            yield unit, name, stored


def _new_version(units: Units) -> str:
    content = sorted((unit, name, stored.sha256) for unit, name, stored in _all_files(units))
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{json_digest(content)[:8]}"


def _as_json(version: Version) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "output": version.output.name,
        "version": version.version,
        "patterns": version.output.units,
        "units": {
            unit: {name: asdict(stored) for name, stored in files.items()}
            for unit, files in version.units.items()
        },
    }


def _is_hidden(path: str) -> bool:
    """Say whether a file of a local disk is on its way there."""
    return path.rpartition("/")[2].startswith(".")
