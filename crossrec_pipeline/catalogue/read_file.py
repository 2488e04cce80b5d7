"""From one file of any supported format to a frame of text cells, as delivered."""

import gzip
import io
import zlib
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from crossrec_pipeline.catalogue.read_csv import read_csv
from crossrec_pipeline.catalogue.read_json import read_json
from crossrec_pipeline.errors import SourceError

EXTENSIONS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
"""Read as they are or compressed (``.csv.gz``)."""


def read_file(path: Path, where: str) -> pl.DataFrame:
    """Read a CSV, TSV, JSON, JSON Lines or Parquet file; the format goes by the extension.

    Parameters
    ----------
    path
        The file.
    where
        Domain and file, the beginning of every message.

    Returns
    -------
    pl.DataFrame
        String columns with the names found in the file, at least one row.

    Raises
    ------
    SourceError
        If the file cannot be read, is damaged, or has no rows.
    """
    name = path.name.lower().removesuffix(".gz")
    extension = next((known for known in EXTENSIONS if name.endswith(known)), None)
    if extension is None:
        raise SourceError(
            f"{where}: unknown file type {path.suffix or path.name!r}. Use one of "
            f"{', '.join(EXTENSIONS)}, or these with .gz."
        )
    data = _read_bytes(path, where)
    if not data:
        raise SourceError(f"{where}: the file is empty. Deliver it again, with a header and rows.")
    match extension:
        case ".csv":
            frame = read_csv(data, ",", where)
        case ".tsv":
            frame = read_csv(data, "\t", where)
        case ".parquet":
            frame = _read_parquet(data, where)
        case _:
            frame = read_json(data, where)
    if frame.is_empty():
        raise SourceError(f"{where}: a header and no rows. Deliver the file again, with rows.")
    return frame


def _read_bytes(path: Path, where: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(
            f"{where}: cannot be read ({error.strerror}). Check the path and its permissions."
        ) from error
    if not path.name.lower().endswith(".gz"):
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(
            f"{where}: is no whole gzip file ({error}). Copy or compress it again."
        ) from error


def _read_parquet(data: bytes, where: str) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except PolarsError as error:
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"{where}: is no whole Parquet file ({reason}). Copy or write it again."
        ) from error
    return as_text(frame, where)


def as_text(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Turn typed columns into text cells; lists become Python-list text, NaN becomes null.

    Raises
    ------
    SourceError
        If a column holds something that has no text, such as binary data.
    """
    texts: dict[str, pl.Series] = {}
    for column in frame.get_columns():
        try:
            texts[column.name] = _column_as_text(column)
        except PolarsError as error:
            raise SourceError(
                f"{where}: column {column.name!r} of type {column.dtype} cannot be read as text. "
                "Deliver it as text, numbers, dates or lists of these."
            ) from error
    return pl.DataFrame(texts)


def _column_as_text(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():
        return column.fill_nan(None).cast(pl.String)
    if isinstance(column.dtype, pl.Struct):
        return column.struct.json_encode()
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List):
        escaped = pl.element().cast(pl.String).str.replace_all(r"(['\\])", r"\$1")
        quoted = pl.col(column.name).list.drop_nulls().list.eval("'" + escaped + "'")
        listed = pl.format("[{}]", quoted.list.join(", "))
        return column.to_frame().select(listed.alias(column.name)).to_series()
    return column.cast(pl.String)
