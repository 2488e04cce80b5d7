"""In: where a log grows (a directory, or a template with ``{date}``). Out: the files there now."""

import fnmatch
import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from crossrec_pipeline.errors import EventsError, SettingsError
from crossrec_pipeline.interactions.log_files import is_log_name
from crossrec_pipeline.storage.location import is_url

DATE = "{date}"
SETTLE_SECONDS = 10.0
"""A file that was written to more recently may still be written to."""

_DATABASES = ("postgresql://", "postgres://")
_UNFINISHED = (".tmp", ".partial", ".part", ".crdownload", ".filepart")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class DeliveredFile:
    """One file of a log that grows.

    Attributes
    ----------
    name
        Its path below the fixed part of the location: what it is known by.
    path
        Where it lies now.
    fingerprint
        Size and time of change.
    """

    name: str
    path: Path
    fingerprint: str


@dataclass(frozen=True)
class FilesFound:
    """What a look at a location has found.

    Attributes
    ----------
    files
        Those that can be read, in the order of their names.
    left
        The names of the others, with why they are left for later, or alone.
    """

    files: tuple[DeliveredFile, ...]
    left: dict[str, str]


def is_growing(location: str) -> bool:
    """Say whether a location is that of a log that grows, delivery by delivery.

    It is one that ends in ``/`` (of an object store too), an existing directory, a path or URL with
    ``{date}`` in it, or the URL of a database.
    """
    if is_database(location) or DATE in location or location.endswith("/"):
        return True
    return Path(location).expanduser().is_dir()


def is_database(location: str) -> bool:
    """Say whether a location is the URL of a database."""
    return location.startswith(_DATABASES)


def shown_location(location: str) -> str:
    """Return a location as it may be shown: the URL of a database without its password.

    What follows the ``?`` of a URL goes too, since a password may stand there.

    Raises
    ------
    SettingsError
        If it looks like the URL of a database and is none.
    """
    if not is_database(location):
        return location
    parts = split_url(location)
    user, _, host = parts.netloc.rpartition("@")
    name = f"{user.partition(':')[0]}@{host}" if user else host
    return f"postgresql://{name}{parts.path}"


def log_identity(location: str, table: str | None) -> str:
    """Return what a log is known by: its absolute place, or host, database and table.

    Raises
    ------
    SettingsError
        If the location looks like the URL of a database and is none.
    """
    if not is_database(location):
        return location if is_url(location) else str(Path(location).expanduser().absolute())
    parts = split_url(location)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path} {table}"


def split_url(url: str) -> SplitResult:
    """Take the URL of a database apart.

    Raises
    ------
    SettingsError
        If it is none. The message does not show it, since it may hold a password.
    """
    try:
        return urlsplit(url)
    except ValueError as error:
        raise SettingsError(
            f"CROSSREC_EVENTS is no URL of a database ({error}). Expected one such as "
            "postgresql://reader@db.example:5432/shop."
        ) from None


def find_files(location: str, now: datetime) -> FilesFound:
    """Look which files of a log lie at a location.

    Of a directory these are all below it, whatever the folders between; of a template, those of all
    dates. Names that begin with ``.`` or ``_`` (``_SUCCESS``, ``_temporary/``) are passed over, as
    such files are nobody's log.

    Parameters
    ----------
    location
        A directory, or a template.
    now
        The present, aware; a file that changed within `SETTLE_SECONDS` of it is left for later,
        since its writer may not be done.

    Raises
    ------
    EventsError
        If the directory does not exist.
    """
    root, paths = _template_paths(location) if DATE in location else _directory_paths(location)
    files, left = [], {}
    for path in paths:
        name = path.relative_to(root).as_posix()
        if any(part.startswith((".", "_")) for part in Path(name).parts):
            continue
        if name.lower().endswith(_UNFINISHED):
            left[name] = "its ending says that it is being written"
            continue
        if not is_log_name(path):
            left[name] = "its ending is not that of a log"
            continue
        try:
            stat = path.stat()
        except FileNotFoundError:  # rotated away since the look
            continue
        if abs(now.timestamp() - stat.st_mtime) < SETTLE_SECONDS:
            left[name] = f"it changed less than {SETTLE_SECONDS:.0f} seconds ago"
            continue
        files.append(DeliveredFile(name, path, fingerprint(path)))
    return FilesFound(tuple(sorted(files, key=lambda file: file.name)), left)


def fingerprint(path: Path) -> str:
    """Look at size and time of change of a file."""
    stat = path.stat()
    return f"{stat.st_size}:{stat.st_mtime_ns}"


def _directory_paths(location: str) -> tuple[Path, Iterable[Path]]:
    root = Path(location).expanduser()
    if not root.is_dir():
        problem = "is not a directory" if root.exists() else "does not exist"
        raise EventsError(
            f"The interaction log {location} {problem}. Make the directory, or set CROSSREC_EVENTS "
            "to the place where the log is delivered."
        )
    return root, (Path(folder) / name for folder, _, names in os.walk(root) for name in names)


def _template_paths(location: str) -> tuple[Path, Iterable[Path]]:
    template = str(Path(location).expanduser())
    fixed = []
    for part in Path(template).parts:
        if DATE in part or glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed), _dated(template)


def _dated(template: str) -> Iterable[Path]:
    """Find the files of a template; a path that has it twice must have the same date twice."""
    digits = "[0-9]"
    any_date = "-".join(digits * width for width in (4, 2, 2))
    for path in glob.glob(template.replace(DATE, any_date), recursive=True):  # noqa: PTH207
        days = {day for day in _DAY.findall(path) if _is_day(day)}
        patterns = (template.replace(DATE, day) for day in days)
        if Path(path).is_file() and any(_matches(path, pattern) for pattern in patterns):
            yield Path(path)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _matches(path: str, pattern: str) -> bool:
    # The glob has seen to the slashes already; here only the date matters.
    return fnmatch.fnmatchcase(path, pattern)
