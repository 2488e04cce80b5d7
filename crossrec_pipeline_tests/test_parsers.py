import ast
import datetime as dt
import math
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline import parsers
from crossrec_pipeline.parsers import Parser

slow_machine = settings(deadline=None, max_examples=50)
printable = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "))
cells = st.text(st.characters(exclude_categories=("C",), include_characters="\t\n\r"))
names = st.text("ab',\"\\[];é (", max_size=6)


def parsed(parser: Parser, *delivered: str | None) -> list:
    frame = pl.DataFrame({"cell": delivered}, schema={"cell": pl.String})
    return frame.select(parser(pl.col("cell"))).to_series().to_list()


def tidied(elements: list[str]) -> list[str] | None:
    kept = dict.fromkeys(" ".join(element.split()) for element in elements)
    return [element for element in kept if element] or None


EVERY_PARSER = [
    parsers.text,
    parsers.number,
    parsers.integer,
    parsers.boolean,
    parsers.date,
    parsers.comma_list,
    parsers.semicolon_list,
    parsers.python_list,
    parsers.author_list,
    parsers.actor_role_pairs,
]


@pytest.mark.parametrize("parser", EVERY_PARSER)
def test_blank_cells_are_null(parser: Parser):
    assert parsed(parser, None, "", "  ", "\t\n") == [None] * 4


@pytest.mark.parametrize("parser", EVERY_PARSER)
def test_a_parser_keeps_the_name_of_its_column(parser: Parser):
    assert pl.DataFrame({"cell": ["1"]}).select(parser(pl.col("cell"))).columns == ["cell"]


@slow_machine
@given(cells)
def test_text_folds_white_space(cell: str):
    assert parsed(parsers.text, cell) == [" ".join(cell.split()) or None]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("73.0", 73.0),
        (" 5,691,311 ", 5_691_311.0),
        ("-9.857", -9.857),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.51e-06", 1.51e-06),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("1,5", None),
        ("12,34", None),
        ("1_000", None),
        ("7 stars", None),
        ("٣", None),
    ],
)
def test_number(cell: str, value: float | None):
    assert parsed(parsers.number, cell) == [value]


@slow_machine
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_reads_what_python_writes(value: float):
    assert parsed(parsers.number, repr(value), f"{value:,.3f}") == [
        value,
        float(f"{value:.3f}"),
    ]


@slow_machine
@given(st.text("0123456789,.+-e ", max_size=8))
def test_number_is_what_python_reads_without_the_commas(cell: str):
    (value,) = parsed(parsers.number, cell)
    if value is not None:
        assert math.isclose(value, float(cell.replace(",", "")))


@slow_machine
@given(st.integers(-(2**63), 2**63 - 1))
def test_integer_reads_64_bits_with_or_without_commas(value: int):
    assert parsed(parsers.integer, str(value), f" {value:,}", f"{value}.0") == [value] * 3


@pytest.mark.parametrize("cell", ["12.5", "1e3", "99999999999999999999", "1,23", "--1", "x"])
def test_integer_refuses(cell: str):
    assert parsed(parsers.integer, cell) == [None]


def test_boolean():
    assert parsed(parsers.boolean, "True", " false ", "TRUE", "1", "0", "yes", "2") == [
        True,
        False,
        True,
        True,
        False,
        None,
        None,
    ]


@slow_machine
@given(st.dates(dt.date(1000, 1, 1), dt.date(2030, 12, 31)))
def test_date_reads_both_notations(day: dt.date):
    american = f"{day.month:02}/{day.day:02}/{day.year} "
    assert (
        parsed(parsers.date, american, day.isoformat(), f"{day} 00:00:00", f"{day}T12:30:00Z")
        == [day] * 4
    )


@slow_machine
@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 3000))
def test_date_refuses_what_is_no_day(month: int, day: int, year: int):
    try:
        expected = dt.date(year, month, day)
    except ValueError:
        expected = None
    latest = dt.date.today().year + 10
    if expected and not 1000 <= expected.year < latest:
        expected = None if expected.year != latest else expected
    (value,) = parsed(parsers.date, f"{month}/{day}/{year:04}")
    assert value == expected or (value is None and year == latest)


def test_dates_out_of_all_reason_are_unparseable():
    ahead = dt.date.today().year + 11
    assert (
        parsed(parsers.date, "12/31/9999", f"01/01/{ahead}", "0999-12-31", "1/1/20230")
        == [None] * 4
    )


@pytest.mark.parametrize(
    ("parser", "separator"), [(parsers.comma_list, ","), (parsers.semicolon_list, ";")]
)
@slow_machine
@given(elements=st.lists(st.text("ab é,;", max_size=4), max_size=5))
def test_joined_lists(parser: Parser, separator: str, elements: list[str]):
    elements = [re.sub(separator, "", element) for element in elements]
    assert parsed(parser, separator.join(elements)) == [tidied(elements)]


@slow_machine
@given(st.lists(printable | names, max_size=5))
def test_python_list_reads_what_python_writes(elements: list[str]):
    cell = repr(elements)
    assert ast.literal_eval(cell) == elements
    assert parsed(parsers.python_list, cell) == [tidied(elements)]


@slow_machine
@given(st.text("'\",[]\\ a", max_size=12))
def test_python_list_accepts_only_lists_of_texts(inside: str):
    (value,) = parsed(parsers.python_list, f"[{inside}]")
    if value is not None:
        assert all(isinstance(element, str) for element in ast.literal_eval(f"[{inside}]"))


@pytest.mark.parametrize(
    "cell", ["[]", "['']", "Fiction", "['a'", "['a' 'b']", "[1]", "[__import__('os')]"]
)
def test_python_list_refuses(cell: str):
    assert parsed(parsers.python_list, cell) == [None]


@pytest.mark.parametrize("parser", [parsers.comma_list, parsers.semicolon_list])
def test_every_list_parser_reads_a_list_delivered_as_one(parser: Parser):
    assert parsed(parser, "['Drama, old', 'War; new']", "[]") == [["Drama, old", "War; new"], None]


@pytest.mark.parametrize(
    ("cell", "authors"),
    [
        ("Harper Lee", ["Harper Lee"]),
        ("J.K.  Rowling, Mary GrandPré (Illustrator)", ["J.K. Rowling", "Mary GrandPré"]),
        ("Martin Luther King, Jr., Coretta King", ["Martin Luther King, Jr.", "Coretta King"]),
        ("A. Author, , A. Author", ["A. Author"]),
    ],
)
def test_author_list(cell: str, authors: list[str]):
    assert parsed(parsers.author_list, cell) == [authors]


@pytest.mark.parametrize(
    ("cell", "actors"),
    [
        (
            "Michael B. Jordan, Adonis Creed, Tessa Thompson, Bianca Taylor",
            ["Michael B. Jordan", "Tessa Thompson"],
        ),
        ("Ana, Nefer, Luis", ["Ana", "Luis"]),
        ("Ana, , Luis, Carnaby", ["Ana", "Luis"]),
        ("Ana, Nefer, Ana, Mother", ["Ana"]),
    ],
)
def test_actor_role_pairs_are_read_by_position(cell: str, actors: list[str]):
    assert parsed(parsers.actor_role_pairs, cell) == [actors]
