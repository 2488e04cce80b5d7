"""From the bytes of a CSV or TSV file to a frame of text cells; nothing is guessed or repaired.

The standard library's strict reader is used, because polars fills rows that are too short with
nulls without saying so and knows no row or line numbers to report.
"""

import csv
import io
import sys
from collections.abc import Iterator

import polars as pl

from crossrec_pipeline.errors import SourceError

_ROWS_AT_ONCE = 50_000
_SEPARATORS = {",": "comma", ";": "';'", "\t": "tab", "|": "'|'"}


def decode(data: bytes, where: str) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Parameters
    ----------
    data
        A whole text file.
    where
        Domain and file, the beginning of every message.

    Raises
    ------
    SourceError
        If the file is empty, is not UTF-8, or holds a NUL byte.
    """
    if not data.strip():
        raise SourceError(f"{where}: the file is empty. Deliver it again, with a header and rows.")
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{where}: line {line} (byte {error.start:,}) is not UTF-8. Save the file as UTF-8."
        ) from None
    nul = decoded.find("\0")
    if nul >= 0:
        line = decoded.count("\n", 0, nul) + 1
        raise SourceError(
            f"{where}: line {line} holds a NUL byte; the file is damaged or not text. "
            "Deliver it again as UTF-8 text."
        )
    return decoded


def read_csv(data: bytes, separator: str, where: str) -> pl.DataFrame:
    """Read a CSV or TSV file, every cell as delivered.

    Lines without any character are no rows. Header names are trimmed.

    Returns
    -------
    pl.DataFrame
        String columns; empty cells are empty strings.

    Raises
    ------
    SourceError
        If a row has too many or too few fields, a quote is not closed, a header name repeats, or
        the cells are separated by another character.
    """
    csv.field_size_limit(sys.maxsize)  # long cells are reported with their column and row later
    lines = io.StringIO(decode(data, where), newline="")
    rows = _rows(csv.reader(lines, delimiter=separator, strict=True), where)
    delivered = next(rows, [])
    header = _column_names([name.strip() for name in delivered], where)
    _check_separator(delivered, separator, where)
    parts: list[pl.DataFrame] = []
    pending: list[list[str]] = []
    for row in rows:
        pending.append(row)
        if len(pending) == _ROWS_AT_ONCE:
            parts.append(_frame(header, pending))
            pending = []
    parts.append(_frame(header, pending))
    return pl.concat(parts, rechunk=True)


def _rows(reader: "csv.Reader", where: str) -> Iterator[list[str]]:  # type: ignore[name-defined]
    n_fields, row_number, first_line = 0, 0, 1
    while True:
        place = f"row {row_number} (line {first_line})" if row_number else "the header"
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = (
                "a quoted cell is never closed"
                if "end of data" in str(error)
                else f"the quoting is wrong ({error})"
            )
            raise SourceError(
                f"{where}: {place}: {problem}. Close the quote, and double quotes inside cells."
            ) from None
        if row and not row_number:
            n_fields = len(row)
        elif row and len(row) != n_fields:
            raise SourceError(
                f"{where}: {place} has {len(row)} fields, the header has {n_fields}. "
                "Quote cells that hold the separator or a line break."
            )
        first_line = reader.line_num + 1
        if row:
            row_number += 1
            yield row


def _column_names(names: list[str], where: str) -> list[str]:
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise SourceError(
            f"{where}: the header names {repeated} more than once. Rename or remove one of them."
        )
    # Spreadsheets append unnamed columns; only the first unnamed one can be meant.
    return [
        name or ("" if "" not in names[:position] else f"unnamed {position + 1}")
        for position, name in enumerate(names)
    ]


def _check_separator(header: list[str], separator: str, where: str) -> None:
    if len(header) > 1:
        return
    for other, name in _SEPARATORS.items():
        if other != separator and other in header[0]:
            raise SourceError(
                f"{where}: looks {name}-separated, but {_SEPARATORS[separator]} is expected of "
                f"this extension. Save it comma-separated as .csv or tab-separated as .tsv."
            )


def _frame(header: list[str], rows: list[list[str]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    # By a dict: a series without a name in a list would be renamed.
    return pl.DataFrame(dict(zip(header, columns, strict=True)), dict.fromkeys(header, pl.String))
