import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.words import LONGEST_WORD, words, words_and_compounds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Amélie", ["amelie"]),
        ("AMELIE\u0301", ["amelie"]),
        ("Ocean's Eleven", ["oceans", "eleven"]),
        ("O’Brien", ["obrien"]),
        ("Łódź, Straße; Smørrebrød", ["lodz", "strasse", "smorrebrod"]),
        ("İstanbul", ["istanbul"]),
        ("Война и мир", ["воина", "и", "мир"]),
        ("千と千尋", ["千", "と", "千", "尋"]),
        ("<b>Up</b>", ["b", "up", "b"]),
        ("'; DROP TABLE items --", ["drop", "table", "items"]),
        ("?! … 😂 __", []),
        ("", []),
        ("x" * 500, ["x" * LONGEST_WORD]),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "also"),
    [
        ("Spider-Man", "spiderman"),
        ("S.W.A.T.", "swat"),
        ("AC/DC", "acdc"),
        ("Lilo & Stitch", "and"),
    ],
)
def test_what_people_also_type_for_a_title(text: str, also: str):
    assert words_and_compounds(text) == [*words(text), also]


@given(st.text())
def test_words_are_their_own_words(text: str):
    found = words(text)
    assert words(" ".join(found)) == found


@given(st.text())
def test_case_does_not_count(text: str):
    # Capitals of some letters are other letters altogether: "ŉ" is "ʼN".
    assert words(text.casefold()) == words(text.casefold().upper().casefold())
