"""From the bytes of a JSON or JSON Lines file to a frame of text cells."""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from crossrec_pipeline.catalogue.read_csv import decode
from crossrec_pipeline.errors import SourceError


def read_json(data: bytes, where: str) -> pl.DataFrame:
    """Read one object a line, or one array of objects; cells become text.

    Numbers keep their digits; lists become Python-list text.

    Raises
    ------
    SourceError
        If a line is not JSON, or a row is not an object.
    """
    decoded = decode(data, where)
    rows = list(_array(decoded, where) if decoded.lstrip()[0] == "[" else _lines(decoded, where))
    names: dict[str, None] = {}
    for place, row in rows:
        if not isinstance(row, dict):
            raise SourceError(
                f'{where}: {place} is no object. Deliver each row as {{"column": value, …}}.'
            )
        names.update(dict.fromkeys(row))
    return pl.DataFrame(
        {name: [_as_text(row.get(name)) for _, row in rows] for name in names},
        dict.fromkeys(names, pl.String),
    )


def _lines(decoded: str, where: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(decoded.split("\n"), start=1):
        if line.strip():
            yield f"line {number}", _parse(line, f"{where}: line {number}")


def _array(decoded: str, where: str) -> Iterator[tuple[str, Any]]:
    for number, row in enumerate(_parse(decoded, where), start=1):
        yield f"row {number}", row


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_float=str, parse_int=str)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SourceError(f"{where} is not JSON ({error}). Correct it.") from None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(_quoted(element) for element in value if element is not None) + "]"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _quoted(element: Any) -> str:
    text = (_as_text(element) or "").replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
