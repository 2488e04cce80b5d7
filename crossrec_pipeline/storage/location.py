"""A URL in; the file system behind it out, and its errors as messages that name the remedy."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import CrossrecError, StorageError, StorageUnavailableError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "abfs": "abfs",
    "abfss": "abfs",
    "az": "abfs",
    "http": "http",
    "https": "http",
}
"""What is installed with ``crossrec-pipeline[<extra>]``, by the protocol that needs it."""

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or the account of the machine",
    "abfs": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with a key",
}
_CREDENTIAL_ERRORS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "DefaultCredentialsError",
    "ClientAuthenticationError",
)
"""Errors of the clients' own libraries, which may not be installed here."""

_LOCAL_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def is_url(location: str) -> bool:
    """Say whether a location is a URL (``s3://bucket/key``) and no local path."""
    return "://" in location


def protocol_of(url: str) -> str:
    """Return what stands before ``://``."""
    return url.partition("://")[0]


def open_location(url: str) -> tuple["AbstractFileSystem", str]:
    """Return the file system of a URL, and the path in it.

    Raises
    ------
    StorageError
        If the protocol is not known, or what it needs is not installed.
    """
    # Slow to import, and needed by few.
    from fsspec.core import url_to_fs

    with explained(url):
        return url_to_fs(url)


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what a file system raises into an error that says what to do about `url`.

    A local disk that is full or read-only is no trouble of the other side: its error is left.

    Raises
    ------
    StorageError
        If something is missing or refused; trying again does not help.
    StorageUnavailableError
        For all other trouble, the network's above all.
    """
    try:
        yield
    except CrossrecError:
        raise
    except Exception as error:  # each client library has exceptions of its own
        if isinstance(error, OSError) and error.errno in _LOCAL_TROUBLE:
            raise
        raise _explanation(url, error) from error


def _explanation(url: str, error: Exception) -> StorageError:
    protocol = protocol_of(url)
    extra = _EXTRAS.get(protocol, protocol)
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, ImportError):
        return StorageError(
            f"{url} needs a package that is not installed ({reason}). Install it: "
            f"pip install 'crossrec-pipeline[{extra}]'"
        )
    if isinstance(error, ValueError) and "rotocol not known" in reason:
        return StorageError(
            f"{url}: there is no protocol {protocol!r}. Expected one such as s3, gs, abfs, https "
            "or file."
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return StorageError(
            f"{url} does not exist ({reason}). Check the name of the bucket and the path; the "
            "bucket itself is not made here."
        )
    if isinstance(error, PermissionError) or type(error).__name__ in _CREDENTIAL_ERRORS:
        known = _CREDENTIALS.get(extra)
        where = f" They are taken from {known}." if known else ""
        return StorageError(f"{url} may not be used ({reason}). Check the credentials.{where}")
    return StorageUnavailableError(
        f"{url} cannot be reached ({type(error).__name__}: {reason}). Check the network and the "
        "endpoint, and run again: what was transferred whole is kept."
    )


def send_file(source: Path, fs: "AbstractFileSystem", target: str) -> None:
    """Copy a local file to a path of a file system, where it appears whole or not at all."""
    if _is_local(fs):
        with atomic_file(Path(target)) as partial:
            shutil.copyfile(source, partial)
    else:
        fs.put_file(os.fspath(source), target)


def send_bytes(content: bytes, fs: "AbstractFileSystem", target: str) -> None:
    """Write a small file to a path of a file system, where it appears whole or not at all."""
    if _is_local(fs):
        with atomic_file(Path(target)) as partial:
            partial.write_bytes(content)
    else:
        fs.pipe_file(target, content)


def _is_local(fs: "AbstractFileSystem") -> bool:
    return "file" in fs.protocol
