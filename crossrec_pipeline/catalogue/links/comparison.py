"""Pairs of items in; in what each pair agrees and differs, as figures and words, out."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process

from crossrec_pipeline.catalogue.links.descriptions import Descriptions, Shared
from crossrec_pipeline.catalogue.links.titles import Form, Title
from crossrec_pipeline.words import words

LEAST_SIMILARITY = 0.85
"""Titles that are less alike are not compared any further (Indel similarity, 0 to 1). "Striped
Pyjamas" and "Striped Pajamas" are 0.93 alike, "Catching Fire" and "Chasing Fire" 0.88."""

SAID_OF: dict[str, re.Pattern[str]] = {
    "Movie": re.compile(r"\b(films?|filmed|movies?|motion picture|screen|hollywood|oscar)\b", re.I),
    "Book": re.compile(r"\b(novels?|book|best-?sell(?:er|ing)|memoir)\b", re.I),
}
"""What descriptions call works of a type; of other types, it is the name of the type."""

_DAYS_OF_A_YEAR = 365.25


@dataclass(frozen=True)
class Comparison:
    """What there is to say of two items.

    Attributes
    ----------
    left, right
        Rows of the items.
    similarity
        Of the ways to say the titles that fit best, `LEAST_SIMILARITY` to 1.
    rarity
        Sum of the rarities of the words that both titles have.
    left_out
        Words that only the left, only the right title has: a subtitle, say. What the other item
        says elsewhere, as its series or its creators, is none of them.
    left_out_rarity
        Sum of the rarities of each.
    numbers_differ
        Whether the titles' numbers do, or those of parts or in a series.
    part_of_one
        Whether just one of them is a part or volume of something.
    collected
        Whether one of the two holds several works.
    creators
        Creators of one that the other has too, or that its title or description names.
    share_of_creators
        Of the item with fewer creators, how many of them the other has too, 0 to 1.
    told
        Whether the right description speaks of a work of the left one's type ("based on the
        novel").
    years
        Years from the left one's release to the right one's; None where one is not known.
    shared
        What the descriptions have in common.
    likeness
        Of the embeddings, as `likeness.likeness` has it; None where there are none.
    """

    left: int
    right: int
    similarity: float
    rarity: float
    left_out: tuple[tuple[str, ...], tuple[str, ...]]
    left_out_rarity: tuple[float, float]
    numbers_differ: bool
    part_of_one: bool
    collected: bool
    creators: tuple[str, ...]
    share_of_creators: float
    told: bool
    years: float | None
    shared: Shared
    likeness: float | None


def person_key(name: str) -> str:
    """Return what tells a person: "J.R.R. Tolkien" and "John Ronald Tolkien" are "j tolkien"."""
    found = words(name)
    return f"{found[0][0]} {found[-1]}" if len(found) > 1 else "".join(found)


def compare(
    items: pl.DataFrame,
    titles: Sequence[Title],
    pairs: pl.DataFrame,
    descriptions: Descriptions,
    likeness: np.ndarray | None = None,
) -> Iterator[Comparison]:
    """Compare pairs of items whose titles are alike; those of other pairs are left out.

    Parameters
    ----------
    items
        Columns of `catalogue.schema.ITEMS`, without what was filled in (see `as_delivered`).
    titles
        Of the same items.
    pairs
        Columns of `blocking.PAIRS`.
    descriptions
        Of the same items.
    likeness
        Of the embeddings of each pair, float [n], NaN where there are none.
    """
    alike = _alike(titles, pairs)
    facts = _Facts(items, titles, descriptions)
    shared = descriptions.shared(
        np.array([left for left, _, _, _ in alike], dtype=np.int64),
        np.array([right for _, right, _, _ in alike], dtype=np.int64),
    )
    for (left, right, number, forms), found in zip(alike, shared, strict=True):
        like = math.nan if likeness is None else float(likeness[number])
        yield facts.comparison(left, right, forms, found, None if math.isnan(like) else like)


_Forms = list[tuple[int, int, float]]
"""Ways to say the left title and the right one, by number, and how alike these are."""


def _alike(titles: Sequence[Title], pairs: pl.DataFrame) -> list[tuple[int, int, int, _Forms]]:
    """Compare every way to say one title with every way to say the other, all pairs at once."""
    said = pl.DataFrame(
        [
            (row, number, form.text)
            for row, title in enumerate(titles)
            for number, form in enumerate(title.forms)
            if form.text
        ],
        schema={"row": pl.UInt32, "form": pl.Int64, "text": pl.String},
        orient="row",
    )
    found = (
        pairs.with_row_index("number")
        .join(said, left_on="left", right_on="row")
        .join(said, left_on="right", right_on="row", suffix="_right")
    )
    scores = process.cpdist(
        found["text"].to_list(), found["text_right"].to_list(), scorer=fuzz.ratio
    )
    similar = (
        found.with_columns(pl.Series("similarity", scores.astype(np.float64) / 100))
        .filter(pl.col("similarity") >= LEAST_SIMILARITY)
        .sort("number", "form", "form_right")
        .group_by("number", maintain_order=True)
        .agg(pl.col("left", "right").first(), "form", "form_right", "similarity")
    )
    return [
        (left, right, number, list(zip(form, form_right, similarity, strict=True)))
        for number, left, right, form, form_right, similarity in similar.iter_rows()
    ]


@dataclass(frozen=True)
class _Agreed:
    """The ways to say two titles that fit best."""

    forms: tuple[Form, Form]
    similarity: float
    rarity: float
    left_out: tuple[tuple[str, ...], tuple[str, ...]]
    left_out_rarity: tuple[float, float]


class _Facts:
    """What is known of single items, looked up pair by pair."""

    def __init__(
        self, items: pl.DataFrame, titles: Sequence[Title], descriptions: Descriptions
    ) -> None:
        self._titles = titles
        self._rarity = descriptions.rarity
        self._types = items["item_type"].to_list()
        self._descriptions = items["description"].to_list()
        self._creators = items["creators"].to_list()
        self._dates = items["release_date"].to_list()
        self._texts: dict[int, str] = {}

    def comparison(
        self, left: int, right: int, forms: _Forms, shared: Shared, likeness: float | None
    ) -> Comparison:
        """Put everything together that there is to say of two items."""
        agreed = max(
            (self._agreed(left, right, *each) for each in forms),
            key=lambda way: (
                way.similarity >= 1,
                way.rarity - sum(way.left_out_rarity),
                way.similarity,
            ),
        )
        dates = self._dates[left], self._dates[right]
        return Comparison(
            left=left,
            right=right,
            similarity=agreed.similarity,
            rarity=agreed.rarity,
            left_out=agreed.left_out,
            left_out_rarity=agreed.left_out_rarity,
            numbers_differ=self._numbers_differ(left, right, agreed.forms),
            part_of_one=bool(self._titles[left].part) != bool(self._titles[right].part),
            collected=self._titles[left].collected or self._titles[right].collected,
            creators=self._in_common(left, right),
            share_of_creators=self._share_in_common(left, right),
            told=self._tells_of(right, left),
            years=None if None in dates else (dates[1] - dates[0]).days / _DAYS_OF_A_YEAR,
            shared=shared,
            likeness=likeness,
        )

    def _agreed(self, left: int, right: int, n: int, m: int, similarity: float) -> _Agreed:
        form, other = self._titles[left].forms[n], self._titles[right].forms[m]
        left_out = self._unexplained(form, right), self._unexplained(other, left)
        return _Agreed(
            (form, other),
            similarity,
            self._rarity_of({*form.words} & {*other.words}),
            left_out,
            (self._rarity_of(left_out[0]), self._rarity_of(left_out[1])),
        )

    def _rarity_of(self, found: Iterable[str]) -> float:
        # In one order: sums of floats depend on it.
        return sum(map(self._rarity, sorted(set(found))))

    def _unexplained(self, form: Form, other: int) -> tuple[str, ...]:
        """List what a way to say a title leaves out, but for what the other item says too."""
        said = set(self._titles[other].said)
        for name in self._creators[other]:
            said.update(words(name))
        return tuple(word for word in form.left_out if word not in said)

    def _numbers_differ(self, left: int, right: int, forms: tuple[Form, Form]) -> bool:
        a, b = self._titles[left], self._titles[right]
        if _digits(forms[0]) != _digits(forms[1]):
            return True
        if a.part and b.part and a.part != b.part and not (a.collected or b.collected):
            return True
        if a.numbers is None or b.numbers is None or a.series != b.series:
            return False
        return a.numbers[1] < b.numbers[0] or b.numbers[1] < a.numbers[0]

    def _in_common(self, left: int, right: int) -> tuple[str, ...]:
        """List creators of one that the other has, too, or names in its title or description."""
        found = []
        for row, other in ((left, right), (right, left)):
            theirs = {person_key(name) for name in self._creators[other]}
            for name in self._creators[row]:
                said = " ".join(words(name))
                text = self._text(other)
                if person_key(name) in theirs or f" {said} " in text or f" {said}s " in text:
                    found.append(name)
        return tuple(dict.fromkeys(found))

    def _share_in_common(self, left: int, right: int) -> float:
        a, b = ({person_key(name) for name in self._creators[row]} for row in (left, right))
        return len(a & b) / max(min(len(a), len(b)), 1)

    def _text(self, row: int) -> str:
        if row not in self._texts:
            said = f"{' '.join(self._titles[row].words)} {self._descriptions[row] or ''}"
            self._texts[row] = f" {' '.join(words(said))} "
        return self._texts[row]

    def _tells_of(self, row: int, other: int) -> bool:
        item_type = self._types[other]
        pattern = SAID_OF.get(item_type) or re.compile(rf"\b{re.escape(item_type)}s?\b", re.I)
        return bool(pattern.search(self._descriptions[row] or ""))


def _digits(form: Form) -> set[str]:
    return {word for word in form.words if word.isdigit()}
