"""In: the path or glob of a user's log. Out: its files, checked, with the columns they have."""

import codecs
import csv
import glob
import gzip
import io
import itertools
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.errors import EventsError, SettingsError

Format = Literal["csv", "jsonl", "parquet", "table"]

COLUMNS = ("user_id", "session_id", "item_id", "item_type", "event_type", "timestamp")
"""The columns a log may have, by our names."""

MAX_LINE_BYTES = 1 << 20
"""A longer line is a file that is no log, or a quote that was never closed."""

_SUFFIXES: dict[str, tuple[Format, str]] = {
    ".csv": ("csv", ","),
    ".tsv": ("csv", "\t"),
    ".tab": ("csv", "\t"),
    ".jsonl": ("jsonl", ""),
    ".ndjson": ("jsonl", ""),
    ".json": ("jsonl", ""),
    ".parquet": ("parquet", ""),
    ".pq": ("parquet", ""),
}
_GZIP_MAGIC = b"\x1f\x8b"
_DELIMITER_NAMES = {",": "commas", "\t": "tabs"}
_LINES_SAMPLED = 100


@dataclass(frozen=True)
class LogFile:
    """One file of a log, or one table.

    Attributes
    ----------
    path, format, delimiter, is_gzip
        How to read it; `delimiter` is empty where there is none. The path of a table in a database
        is its name.
    columns
        Names of its columns in order (of JSON lines: keys seen in the first lines).
    """

    path: Path
    format: Format
    delimiter: str
    is_gzip: bool
    columns: tuple[str, ...]


def find_log_files(location: str | Path) -> list[Path]:
    """Return the files of a path or glob, sorted by path.

    Raises
    ------
    EventsError
        If there is none.
    """
    path = Path(location).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise EventsError(
            f"{path} is a directory. Set CROSSREC_EVENTS to a file, or to a glob such as "
            f"{path / '*.csv'}."
        )
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207
    files = [name for name in found if name.is_file()]
    if not files:
        is_glob = glob.has_magic(str(path))
        problem = "matches no file" if is_glob else "does not exist"
        raise EventsError(
            f"The interaction log {path} {problem}. Set CROSSREC_EVENTS to the path or glob of "
            "your log, or to 'simulated'."
        )
    return files


def is_log_name(path: Path) -> bool:
    """Say whether a file's ending is that of a log."""
    return _ending(path) in _SUFFIXES


def inspect_log_file(path: Path) -> LogFile:
    """Find out format and columns of a file, and read a text file once to see that it is sound.

    Raises
    ------
    EventsError
        Naming file and line: an unknown format, an empty or broken file, bytes that are not UTF-8,
        NUL bytes, or a line longer than `MAX_LINE_BYTES`.
    """
    suffix = _ending(path)
    if suffix not in _SUFFIXES:
        raise EventsError(
            f"{path} has no ending that says its format. Expected one of "
            f"{', '.join(_SUFFIXES)}, with or without .gz."
        )
    file_format, delimiter = _SUFFIXES[suffix]
    if path.stat().st_size == 0:
        raise EventsError(f"{path} is empty. Deliver the log again, or remove the file.")
    if file_format == "parquet":
        return LogFile(path, file_format, delimiter, False, _parquet_columns(path))
    with path.open("rb") as handle:
        is_gzip = handle.read(2) == _GZIP_MAGIC
    try:
        with _open_text(path, is_gzip) as handle:
            _check_text(path, handle)
        with (
            _open_text(path, is_gzip) as handle,
            io.TextIOWrapper(handle, encoding="utf-8-sig", newline="") as lines,
        ):
            columns = (
                _csv_columns(path, lines, delimiter)
                if file_format == "csv"
                else _json_columns(path, lines)
            )
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise EventsError(
            f"{path} is not a whole gzip file ({error}). Deliver the log again."
        ) from None
    return LogFile(path, file_format, delimiter, is_gzip, columns)


def map_columns(file: LogFile, event_columns: Mapping[str, str]) -> dict[str, str]:
    """Return which of a file's columns is which of ours.

    Parameters
    ----------
    file
        An inspected file.
    event_columns
        Ours to theirs; a column that is not mentioned has our name.

    Raises
    ------
    SettingsError
        If `event_columns` maps a column we do not have.
    EventsError
        If a needed or mentioned column is missing, or is there twice.
    """
    for ours in event_columns:
        if ours not in COLUMNS:
            raise SettingsError(
                f"CROSSREC_EVENT_COLUMNS__{ours.upper()}: there is no column {ours!r} in an "
                f"interaction log. Columns that can be mapped: {', '.join(COLUMNS)}."
            )
    theirs = {ours: event_columns.get(ours, ours) for ours in COLUMNS}
    # Keys of later JSON lines cannot be known here, so that only what is needed can be missed.
    is_sample = file.format == "jsonl"
    missing = [
        ours
        for ours, name in theirs.items()
        if name not in file.columns
        and (ours in ("item_id", "timestamp") or (ours in event_columns and not is_sample))
    ]
    if not missing and not {theirs["user_id"], theirs["session_id"]} & set(file.columns):
        missing = ["user_id"]
    if missing:
        raise EventsError(_missing_column(file, missing[0], theirs))
    present = {ours: name for ours, name in theirs.items() if is_sample or name in file.columns}
    for ours, name in present.items():
        if file.columns.count(name) > 1:
            raise EventsError(
                f"{file.path} has {file.columns.count(name)} columns named {name!r} (for {ours}). "
                "Rename one of them."
            )
    return present


def find_malformed_json_line(file: LogFile) -> tuple[int, str]:
    """Return the number of the first line that is not a JSON object, and what is wrong with it."""
    with _open_text(file.path, file.is_gzip) as handle:
        for number, line in enumerate(handle, start=1):
            try:
                _json_object(line.decode("utf-8-sig"))
            except ValueError as error:
                return number, str(error)
    return 0, "no malformed line"


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")


def _missing_column(file: LogFile, ours: str, theirs: Mapping[str, str]) -> str:
    found = ", ".join(repr(name) for name in file.columns[:30]) or "none"
    wanted = f"column {theirs[ours]!r}" + (f" (for {ours})" if theirs[ours] != ours else "")
    if ours == "user_id" and "session_id" not in theirs.values():
        wanted = f"column {theirs['user_id']!r} or {theirs['session_id']!r}"
    elif ours == "user_id":
        wanted = f"column {theirs['user_id']!r} or 'session_id'"
    if len(file.columns) == 1 and file.format == "csv":
        for other in (",", ";", "\t", "|"):
            if other != file.delimiter and other in file.columns[0]:
                return (
                    f"{file.path} has no {wanted}: its only column is {file.columns[0]!r}, so it "
                    f"seems to be delimited by {other!r}. Files ending in {file.path.suffixes[0]} "
                    f"are read with {_DELIMITER_NAMES[file.delimiter]}: write it so, or as "
                    "Parquet."
                )
    return (
        f"{file.path} has no {wanted}. Columns found: {found}. Say which one it is with "
        f"CROSSREC_EVENT_COLUMNS__{ours.upper()}=<column>."
    )


def _open_text(path: Path, is_gzip: bool) -> IO[bytes]:
    return gzip.open(path, "rb") if is_gzip else path.open("rb")  # type: ignore[return-value]


def _check_text(path: Path, handle: IO[bytes]) -> None:
    """Read a file in blocks; refuse what would later fail at a place that is hard to name."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    n_lines, line_bytes, is_blank = 0, 0, True
    while block := handle.read(MAX_LINE_BYTES):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            line = n_lines + 1 + error.object[: error.start].count(b"\n")
            raise EventsError(
                f"{path}, line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8. "
                "Convert the file to UTF-8, for example with iconv."
            ) from None
        if (at := block.find(b"\0")) >= 0:
            line = n_lines + 1 + block[:at].count(b"\n")
            raise EventsError(
                f"{path}, line {line}: a NUL byte. The file is damaged or not a text file; "
                "deliver the log again."
            )
        end_of_first = block.find(b"\n")
        line_bytes += len(block) if end_of_first < 0 else end_of_first
        if line_bytes > MAX_LINE_BYTES:
            raise EventsError(
                f"{path}, line {n_lines + 1} is longer than {MAX_LINE_BYTES:,} bytes: a cell is "
                "far too long, or a quote is never closed. Repair or remove that line."
            )
        if end_of_first >= 0:
            n_lines += block.count(b"\n")
            line_bytes = len(block) - 1 - block.rfind(b"\n")
        is_blank = is_blank and not block.strip()
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise EventsError(
            f"{path}, line {n_lines + 1}: the last character is not whole UTF-8. The file seems "
            "to be cut off; deliver the log again."
        ) from None
    if is_blank:
        raise EventsError(f"{path} is empty. Deliver the log again, or remove the file.")


def _csv_columns(path: Path, lines: io.TextIOWrapper, delimiter: str) -> tuple[str, ...]:
    try:
        header = next(csv.reader(lines, delimiter=delimiter))
    except (csv.Error, StopIteration) as error:
        raise EventsError(f"{path}, line 1: the header cannot be read ({error}).") from None
    return tuple(name.strip() for name in header)


def _json_columns(path: Path, lines: io.TextIOWrapper) -> tuple[str, ...]:
    columns: dict[str, None] = {}
    for number, line in enumerate(itertools.islice(lines, _LINES_SAMPLED), start=1):
        try:
            columns.update(dict.fromkeys(_json_object(line)))
        except ValueError as error:
            raise malformed_json(path, number, str(error)) from None
    return tuple(columns)


def malformed_json(path: Path, line: int, problem: str) -> EventsError:
    """Say that a line is not a JSON object."""
    return EventsError(
        f"{path}, line {line} is not a JSON object ({problem}). Expected one object a line, such "
        'as {"user_id": "u1", "item_id": "Movie_Creed III", "timestamp": "2023-01-02T03:04:05Z"}.'
    )


def _json_object(line: str) -> dict[str, object]:
    if not line.strip():
        return {}
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError(f"it is a {type(value).__name__}")
    return value


def _parquet_columns(path: Path) -> tuple[str, ...]:
    try:
        return tuple(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise EventsError(
            f"{path} is not a whole Parquet file ({error}). Deliver the log again."
        ) from None
