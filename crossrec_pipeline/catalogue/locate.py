"""From a path or glob of the user's to the files it names, each with a label."""

import glob
import os
from pathlib import Path

from crossrec_pipeline.errors import SourceError


def find_files(location: str, domain: str) -> tuple[Path, ...]:
    """List the files of a path or glob, sorted by path.

    Raises
    ------
    SourceError
        If there is no such file, the glob matches none, or the path is a directory.
    """
    path = Path(location).expanduser()
    if path.is_file():
        return (path,)
    if path.is_dir():
        raise SourceError(
            f"{domain}: {location} is a directory. Name a file, or a glob such as {path / '*.csv'}."
        )
    if not glob.has_magic(location):
        raise SourceError(
            f"{domain}: there is no file {location} (looked in {Path.cwd()}). Correct "
            f"CROSSREC_SOURCES__{domain.upper()}: a path, a glob, 'sample' or 'hub'."
        )
    files = tuple(Path(name) for name in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207
    files = tuple(file for file in files if file.is_file())
    if not files:
        raise SourceError(
            f"{domain}: the glob {location} matches no file (looked in {Path.cwd()}). "
            "Correct the pattern."
        )
    return files


def labels(files: tuple[Path, ...]) -> tuple[str, ...]:
    """Name each file: by its file name, or by its path below the common folder if names repeat."""
    names = tuple(file.name for file in files)
    if len(set(names)) == len(names):
        return names
    common = os.path.commonpath([file.parent for file in files])
    return tuple(file.relative_to(common).as_posix() for file in files)
