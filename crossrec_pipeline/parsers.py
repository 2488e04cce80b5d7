r"""From delivered text cells to typed values, as polars expressions; what is unparseable is null.

Lists come out trimmed, without empty elements or repeats, in the order given; an empty list is
null. A list delivered as such (Parquet, JSON) arrives as Python-list text and is understood by
every list parser.
"""

import datetime as dt
from collections.abc import Callable

import polars as pl

Parser = Callable[[pl.Expr], pl.Expr]
"""Takes a text expression; empty text and what cannot be parsed become null."""

EARLIEST_YEAR = 1000
YEARS_AHEAD = 10
"""Dates further ahead than this are mistakes, such as the year 9999 for "unknown"."""

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_NUMBER = rf"^[+-]?(?:{_DIGITS}\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_INTEGER = rf"^[+-]?{_DIGITS}(?:\.0*)?$"
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_PYTHON_LIST = rf"(?s)^\[\s*(?:(?:{_QUOTED})\s*(?:,\s*(?:{_QUOTED})\s*)*,?\s*)?\]$"
_ROLE = r"\s*\((?:[^()]*)\)\s*$"
_NAME_SUFFIX = r",(\s*(?:Jr|Sr|II|III|IV|M\.?D|Ph\.?D|Esq)\b\.?)"
_NOT_A_SEPARATOR = "\ue000"


def text(cell: pl.Expr) -> pl.Expr:
    """Trim outer blanks and fold runs of white space into one blank."""
    folded = cell.str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(folded != "").then(folded)


def number(cell: pl.Expr) -> pl.Expr:
    """Read a finite number, with or without thousands commas (``5,691,311.5``)."""
    trimmed = cell.str.strip_chars()
    value = (
        pl.when(trimmed.str.contains(_NUMBER))
        .then(trimmed)
        .str.replace_all(",", "", literal=True)
        .cast(pl.Float64, strict=False)
    )
    return pl.when(value.is_finite()).then(value)


def integer(cell: pl.Expr) -> pl.Expr:
    """Read a whole number of 64 bits, with or without thousands commas; ``12.0`` is 12."""
    trimmed = cell.str.strip_chars()
    return (
        pl.when(trimmed.str.contains(_INTEGER))
        .then(trimmed)
        .str.replace(r"\.0*$", "")
        .str.replace_all(r"[+,]", "")
        .cast(pl.Int64, strict=False)
    )


def boolean(cell: pl.Expr) -> pl.Expr:
    """Read ``True``, ``False`` (in any case), ``1`` or ``0``."""
    lowered = cell.str.strip_chars().str.to_lowercase()
    known = lowered.is_in(["true", "false", "1", "0"])
    return pl.when(known).then(lowered.is_in(["true", "1"]))


def date(cell: pl.Expr) -> pl.Expr:
    """Read ``MM/DD/YYYY`` or ``YYYY-MM-DD`` (a time of day after it is ignored).

    Dates before the year 1000 or more than ten years ahead of today are taken as unparseable.
    """
    trimmed = cell.str.strip_chars()
    american = trimmed.str.extract(r"^([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})$")
    iso = trimmed.str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].*)?$")
    value = pl.coalesce(
        american.str.to_date("%m/%d/%Y", strict=False), iso.str.to_date("%Y-%m-%d", strict=False)
    )
    today = dt.date.today()
    # The first of the month, because the 29th of February has no day ten years on.
    latest = today.replace(year=today.year + YEARS_AHEAD, day=1)
    return pl.when(value.is_between(dt.date(EARLIEST_YEAR, 1, 1), latest)).then(value)


def comma_list(cell: pl.Expr) -> pl.Expr:
    """Read ``Drama, Action``."""
    return _tidy(_elements(cell, ","))


def semicolon_list(cell: pl.Expr) -> pl.Expr:
    """Read ``Ingrid Michaelson;ZAYN``."""
    return _tidy(_elements(cell, ";"))


def python_list(cell: pl.Expr) -> pl.Expr:
    """Read ``['Classics', "Children's"]``; text that is no such list is null."""
    return _tidy(_python_elements(cell))


def author_list(cell: pl.Expr) -> pl.Expr:
    """Read a comma-joined list of people; a role such as ``(Illustrator)`` is cut off.

    A comma before ``Jr.``, ``Ph.D.`` and the like belongs to the name.
    """
    guarded = cell.str.replace_all(_NAME_SUFFIX, rf"{_NOT_A_SEPARATOR}$1")
    name = pl.element().str.replace_all(_NOT_A_SEPARATOR, ",", literal=True).str.replace(_ROLE, "")
    return _tidy(_elements(guarded, ",").list.eval(name))


def actor_role_pairs(cell: pl.Expr) -> pl.Expr:
    """Read the actors of ``Actor, Character, Actor, Character``: every other name."""
    return _tidy(_elements(cell, ",").list.gather_every(2))


def _elements(cell: pl.Expr, separator: str) -> pl.Expr:
    return (
        pl.when(cell.str.strip_chars().str.contains(_PYTHON_LIST))
        .then(_python_elements(cell))
        .otherwise(cell.str.split(separator))
    )


def _python_elements(cell: pl.Expr) -> pl.Expr:
    trimmed = cell.str.strip_chars()
    unquoted = pl.element().str.head(-1).str.tail(-1)
    return (
        pl.when(trimmed.str.contains(_PYTHON_LIST))
        .then(trimmed)
        .str.extract_all(f"(?s){_QUOTED}")
        .list.eval(unquoted.str.replace_all(r"(?s)\\(.)", "$1"))
    )


def _tidy(elements: pl.Expr) -> pl.Expr:
    tidied = (
        elements.list.eval(text(pl.element())).list.drop_nulls().list.unique(maintain_order=True)
    )
    return pl.when(tidied.list.len() > 0).then(tidied)
