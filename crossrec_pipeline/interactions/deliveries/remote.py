"""The URL of a log that grows in an object store in; its files, copied to this disk, out."""

from datetime import datetime, timedelta
from pathlib import Path

from crossrec_pipeline.interactions.deliveries.location import (
    DATE,
    SETTLE_SECONDS,
    FilesFound,
    find_files,
)
from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.storage.local_copy import bring_here

_ANY_DATE = "????-??-??"


def glob_of(url: str) -> str:
    """Return what the files of all dates match."""
    return url.replace(DATE, _ANY_DATE)


def find_remote_files(url: str, now: datetime, copies_dir: Path, progress: Progress) -> FilesFound:
    """Copy what is new or has changed at a URL, and look at the copies as `find_files` does.

    Objects appear whole, so none is left for later because it is young.

    Raises
    ------
    StorageError
        If there are no files, or they cannot be read.
    """
    copies = bring_here(glob_of(url), copies_dir, progress).replace(_ANY_DATE, DATE)
    return find_files(copies, now + timedelta(seconds=2 * SETTLE_SECONDS))
