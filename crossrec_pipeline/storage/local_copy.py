"""The URL of files that somebody delivers in; local copies of them, kept up to date, out.

A copy lies below a folder of copies, at the place that its URL says: ``s3://shop/logs/a.csv`` at
``s3/shop/logs/a.csv``. So a glob or a folder is one here as there, and a message that names a copy
can be made to name its URL.
"""

import glob
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import text_digest
from crossrec_pipeline.errors import CrossrecError, StorageError, StorageUnavailableError
from crossrec_pipeline.storage.location import explained, open_location, protocol_of
from crossrec_pipeline.storage.transfers import Progress, amount, transfer_all

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_STAMPS = "stamps"
"""Folder beside the copies that holds, for each of them, what it is a copy of."""

_STAMP_KEYS = (
    "ETag",
    "etag",
    "md5Hash",
    "Content-MD5",
    "LastModified",
    "Last-Modified",
    "last_modified",
    "updated",
    "mtime",
    "created",
)
"""What file systems call that which changes with the content, the surest first."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as the listing of its file system has it.

    Attributes
    ----------
    path
        In its file system.
    size
        Bytes, or None where it is not known before the file is read.
    stamp
        Changes when the content does: an ETag, or the time of the last change.
    """

    path: str
    size: int | None
    stamp: str


def list_files(url: str) -> list[RemoteFile]:
    """List the files that a URL names, a glob or a folder too, sorted by path; nothing is read.

    Raises
    ------
    StorageError
        If there is none, or they may not be listed.
    """
    fs, path = open_location(url)
    with explained(url):
        fs.invalidate_cache()
        found = _find(fs, path, url)
    files = [
        RemoteFile(name, info.get("size"), _stamp(info))
        for name, info in sorted(found.items())
        if info.get("type") != "directory"
    ]
    if not files:
        raise StorageError(f"{url} matches no file. Correct the pattern, or deliver the files.")
    return files


def remote_fingerprint(url: str) -> str:
    """Digest names, sizes and stamps of the files that a URL names; nothing is read.

    Raises
    ------
    StorageError
        If there is none, or they may not be listed.
    """
    files = list_files(url)
    return text_digest(*(part for f in files for part in (f.path, str(f.size), f.stamp)))


def bring_here(url: str, copies_dir: Path, say: Progress) -> str:
    """Make the local copies of what a URL names what the URL names now.

    Files that are here already are not read again; those that are gone there are deleted here.
    Each copy appears whole or not at all, so that the next call goes on where one was broken off.

    Parameters
    ----------
    url
        Of a file, a folder, or files (a glob).
    copies_dir
        Holds the copies.
    say
        Receives a line where something was read.

    Returns
    -------
    str
        Where they lie: the local path, or glob, that has the place of the URL.

    Raises
    ------
    StorageError
        If there are none, or they cannot be read.
    """
    files = list_files(url)
    fs, path = open_location(url)
    missing = [file for file in files if not _is_here(file, url, copies_dir)]

    def receive(file: RemoteFile) -> None:
        with (
            atomic_file(_copy_path(file.path, url, copies_dir)) as partial,
            explained(url),
        ):
            fs.get_file(file.path, os.fspath(partial))
            found = partial.stat().st_size
            if file.size not in (None, found):
                raise StorageUnavailableError(
                    f"{file.path} of {url} came with {found:,} bytes instead of {file.size:,}: it "
                    "changed while it was read. Run again when it is complete."
                )
        with atomic_file(_stamp_path(file.path, url, copies_dir)) as partial:
            partial.write_text(_identity(file))

    def tell(n_done: int) -> None:
        say(f"{url}: {n_done:,} of {len(missing):,} files are here")

    transfer_all(receive, missing, tell)
    if missing:
        n_bytes = sum(file.size or 0 for file in missing)
        say(f"{url}: read {amount(n_bytes)} (new files: {len(missing):,} of {len(files):,})")
    here = _copy_path(path, url, copies_dir)
    _delete_others(here, {_copy_path(file.path, url, copies_dir) for file in files})
    return str(here)


@contextmanager
def urls_named(copies_dir: Path) -> Iterator[None]:
    """Have errors that name a local copy name its URL."""
    try:
        yield
    except CrossrecError as error:
        said = name_urls(str(error), copies_dir)
        if said == str(error):
            raise
        raise type(error)(said) from error.__cause__


def name_urls(text: str, copies_dir: Path) -> str:
    """Put URLs in the place of the local copies that a text names."""
    if not copies_dir.is_dir():
        return text
    for folder in copies_dir.iterdir():
        root = "/" if folder.name in ("file", "local") else ""
        text = text.replace(f"{folder}/", f"{folder.name}://{root}")
    return text


def _find(fs: "AbstractFileSystem", path: str, url: str) -> Mapping[str, dict[str, Any]]:
    if not protocol_of(url).startswith("http") and glob.has_magic(path):
        found = fs.glob(path, detail=True)
    elif fs.isdir(path):
        found = fs.find(path, detail=True)
    else:
        found = {path: fs.info(path)}
    return cast("dict[str, dict[str, Any]]", found)  # details were asked for


def _stamp(info: Mapping[str, Any]) -> str:
    return next((str(info[key]) for key in _STAMP_KEYS if info.get(key)), "")


def _identity(file: RemoteFile) -> str:
    return f"{file.size} {file.stamp}"


def _is_here(file: RemoteFile, url: str, copies_dir: Path) -> bool:
    copy, stamp = (place(file.path, url, copies_dir) for place in (_copy_path, _stamp_path))
    return copy.is_file() and stamp.is_file() and stamp.read_text() == _identity(file)


def _copy_path(path: str, url: str, copies_dir: Path) -> Path:
    protocol = protocol_of(url)
    # Paths of the web hold the protocol too, and maybe a query, which is no part of a name.
    below = path.removeprefix(f"{protocol}://").lstrip("/")
    if protocol.startswith("http"):
        below = below.partition("?")[0]
    return copies_dir / protocol / below


def _stamp_path(path: str, url: str, copies_dir: Path) -> Path:
    return _copy_path(path, url, copies_dir / _STAMPS)


def _delete_others(here: Path, wanted: set[Path]) -> None:
    """Delete copies of files that are gone: a glob would still match them."""
    if here.is_dir():
        found = [path for path in here.rglob("*") if path.is_file()]
    else:
        found = [Path(name) for name in glob.glob(str(here), recursive=True)]  # noqa: PTH207
    for path in found:
        if path.is_file() and path not in wanted:
            path.unlink(missing_ok=True)
