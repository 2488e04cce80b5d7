"""A title as the catalogue has it in; its words, part by part, and what it says of its series out.

"The Hunger Games (The Hunger Games, #1)" and "Hunger Games, The" give the same words. Series,
numbers of parts, editions and collections are read, so that they can be compared by themselves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from crossrec_pipeline.words import words

_ARTICLES = frozenset({"a", "an", "the"})
"""Of English only: elsewhere they are words of other titles too ("Die Hard", "La La Land")."""
_LAST_ARTICLE = re.compile(r",\s*(?:the|an?)\s*$", re.IGNORECASE)
_AND = re.compile(r"\s*[&+]\s*")

_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii")
_TO_TWELVE = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_TENS = ("ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMERALS = {word: str(number) for number, word in enumerate(_ROMAN, 1)}
_NUMBERS = {word: str(number) for number, word in enumerate(_TO_TWELVE, 1)} | {
    word: str(10 * number) for number, word in enumerate(_TENS, 1)
}
_PART_MARKS = frozenset(
    {"part", "pt", "chapter", "volume", "vol", "book", "episode", "season", "no", "number", "tome"}
)

_BRACKETS = re.compile(r"(?<=\S)\s*[(\[]([^()\[\]]*)[)\]]")
"""Not at the title's beginning: "(500) Days of Summer"."""
_SERIES = re.compile(
    r"^(?P<name>.*?),?\s*(?:#|\b(?:book|vol(?:ume)?|no|part)\.?\s+)"
    r"(?P<first>\d+(?:\.\d+)?)(?:\s*[-–—&,]\s*#?(?P<last>\d+(?:\.\d+)?))?$",
    re.IGNORECASE,
)
_WORKS = re.compile(r"\s+/\s+|\s*;\s+(?!or\b)", re.IGNORECASE)
_OR = re.compile(r"[,;:]\s+or,?\s+", re.IGNORECASE)
_SEGMENTS = re.compile(r"\s*[:;|]\s+|\s+[-–—]+\s+")
_POSSESSIVE = re.compile(r"^(?P<whose>[^,:]{3,40}?)(?:['’]s|(?<=s)['’])\s+(?P<what>.+)$")

_COLLECTION = re.compile(
    r"\b(?:(?:complete|entire)\s+)?(?:trilogy|saga|series|collection|novels)?\s*"
    r"\b(?:box(?:ed)?[\s-]*set|omnibus|(?:e-?book\s+)?(?:collection|bundle)|trilogy)\b",
    re.IGNORECASE,
)
_EDITION = re.compile(
    r"""^(?:
        (?:an?|the)\s+(?:graphic\s+|illustrated\s+|historical\s+)?
            (?:novel|memoir|thriller|movie|film|play|novella|screenplay|novelization)
        | (?:19|20)\d\d
        | (?:feat|ft|featuring|with)\b.*
        | (?:[\w'’.]+\s+){0,4}
            (?:edition|version|classics|remaster(?:ed)?|cut|mix|remix|edit|reissue)
            (?:\s+(?:19|20)\d\d)?
        | (?:live|acoustic|unabridged|abridged|annotated|illustrated|deluxe|paperback|hardcover
            |redux|extended|restored|remastered|mono|stereo|instrumental)\b.*
        | from\s+.*(?:soundtrack|motion\s+picture|film|movie|series)\b.*
        )$""",
    re.IGNORECASE | re.VERBOSE,
)
"""What a part of a title can say of the edition alone."""


@dataclass(frozen=True)
class Form:
    """One way to say a title.

    Attributes
    ----------
    words
        Words of it.
    left_out
        Words of the title that this way leaves out: a subtitle, a series, whose it is.
    """

    words: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def text(self) -> str:
        """The words as one text."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Title:
    """What a title says.

    Attributes
    ----------
    forms
        Ways to say it, the whole one first; at least one.
    series
        Words of the series that it names in brackets.
    numbers
        First and last number in that series; None where there is none.
    part
        Number of the part, chapter or volume; empty where there is none.
    collected
        Whether it holds several works: a box, or "White Fang / The Call of the Wild".
    """

    forms: tuple[Form, ...]
    series: tuple[str, ...]
    numbers: tuple[float, float] | None
    part: str
    collected: bool

    @property
    def words(self) -> tuple[str, ...]:
        """Words of the whole title."""
        return self.forms[0].words

    @cached_property
    def said(self) -> frozenset[str]:
        """Words of title and series, and those in s without it: they may be possessives."""
        found = {*self.words, *self.series}
        return frozenset(found | {word[:-1] for word in found if word.endswith("s")} - {""})


def read_title(title: str) -> Title:
    """Read a title.

    Case, accents, punctuation and a leading (or trailing) article do not count; "&" is "and";
    Roman numerals and small numbers in words become digits.

    Parameters
    ----------
    title
        As the catalogue has it, without outer blanks.
    """
    series: tuple[str, ...] = ()
    numbers = None
    subtitles = []
    for said in _BRACKETS.findall(title):
        # "(Discworld, #1; Rincewind, #1)": the first one will do.
        found = _SERIES.match(said.partition(";")[0].strip())
        if found and numbers is None:
            first = float(found["first"])
            series, numbers = _words_of(found["name"]), (first, float(found["last"] or first))
        elif not found and not _EDITION.match(said.strip()):
            subtitles.append(said)
    bare = _BRACKETS.sub(" ", title).strip() or title
    box = _COLLECTION.search(bare)
    works = [work for work in _WORKS.split(_COLLECTION.sub(" ", bare)) if work.strip()] or [bare]
    forms, part = [], ""
    for work in works:
        for name in [name for name in _OR.split(work) if name.strip()]:
            found, of_part = _forms(name, subtitles if len(works) == 1 else [])
            forms += found
            part = part or of_part
    several = len(works) > 1 or bool(numbers and numbers[0] < numbers[1])
    whole = Form(tuple(word for work in works for word in _words_of(work)), ())
    if len(works) > 1:
        forms.insert(0, whole)
    unique = tuple(dict.fromkeys(form for form in forms if form.words)) or (whole,)
    return Title(unique, series, numbers, part, several or bool(box))


def _words_of(text: str) -> tuple[str, ...]:
    found = words(_AND.sub(" and ", _LAST_ARTICLE.sub("", text)))
    if len(found) > 1 and found[0] in _ARTICLES:
        found = found[1:]
    return tuple(
        _NUMBERS.get(word) or _numeral(word, place, found) or word
        for place, word in enumerate(found)
    )


def _numeral(word: str, place: int, found: list[str]) -> str | None:
    """Read a Roman numeral; "I" is one only after "part" and the like, and none begins a title."""
    if place == 0 or (word == "i" and found[place - 1] not in _PART_MARKS):
        return None
    return _NUMERALS.get(word)


def _parts(segments: list[tuple[str, ...]]) -> tuple[str, list[tuple[str, ...]]]:
    """Take "part 2" out of the segments, unless nothing else would be left of the title."""
    part, kept = "", []
    for segment in segments:
        if len(segment) >= 2 and segment[-2] in _PART_MARKS and segment[-1].isdigit():
            shortened = segment[:-2]
            number = segment[-1]
        elif len(segment) >= 2 and segment[0] in _PART_MARKS and segment[1].isdigit() and kept:
            shortened = segment[2:]
            number = segment[1]
        else:
            kept.append(segment)
            continue
        if shortened or kept:
            part = part or number
            kept += [shortened] if shortened else []
        else:
            kept.append(segment)
    return part, [segment for segment in kept if segment] or [()]


def _forms(name: str, subtitles: Sequence[str]) -> tuple[list[Form], str]:
    """List the ways to say one name of a work, the whole one first; and the number of its part."""
    segments = [part for part in [*_SEGMENTS.split(name), *subtitles] if part.strip()]
    telling = [part for part in segments[1:] if not _EDITION.match(part.strip())]
    part, (head, *rest) = _parts([_words_of(segment) for segment in [*segments[:1], *telling]])
    tail = tuple(word for segment in rest for word in segment)
    forms = [Form(head + tail, ())]
    if tail:
        forms += [Form(head, tail), Form(tail, head)]
    whose = _POSSESSIVE.match(segments[0]) if segments else None
    if whose and (what := _words_of(whose["what"])):
        forms.append(Form(what + tail, _words_of(whose["whose"])))
        if tail:
            forms.append(Form(what, _words_of(whose["whose"]) + tail))
    return forms, part
