"""Titles, names and what a person types in; words that can be compared, out."""

import re
import unicodedata

LONGEST_WORD = 40
"""Letters of a word that count; what follows them is cut off."""

_LETTERS_OF_THEIR_OWN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h"}
)
"""What Unicode does not take for a letter with a mark, but a keyboard often lacks."""

_APOSTROPHES = re.compile(r"(?<=\w)['’ʼ`´](?=\w)")
_WITHOUT_BLANKS = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff"  # Japanese syllables
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
_WORD = re.compile(rf"[{_WITHOUT_BLANKS}]|[^\W_{_WITHOUT_BLANKS}]+")
_COMPOUND = re.compile(r"\w+(?:[-‐‑./·]\w+)+")


def words(text: str) -> list[str]:
    """Split a text into its words, without regard to case, accents and punctuation.

    "Amélie" and "amelie" give the same word, so do "Ocean's" and "oceans". Scripts that put no
    blanks between words are split into single characters.
    """
    return [word[:LONGEST_WORD] for word in _WORD.findall(_folded(text))]


def words_and_compounds(text: str) -> list[str]:
    """Split a text as `words` does, and add what else people take for a word of it.

    "Spider-Man" can also be meant by "spiderman", "S.W.A.T." by "swat", and "&" by "and".
    """
    found = words(text)
    found += ["".join(words(compound))[:LONGEST_WORD] for compound in _COMPOUND.findall(text)]
    if "&" in text:
        found.append("and")
    return found


def _folded(text: str) -> str:
    if text.isascii():
        return _APOSTROPHES.sub("", text.lower())
    parts = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text).casefold())
    # Case first and last: what is decomposed may have capitals of its own.
    marks_dropped = (letter for letter in parts if unicodedata.category(letter)[0] != "M")
    return "".join(marks_dropped).casefold().translate(_LETTERS_OF_THEIR_OWN)
