"""In what two items agree and differ in; a score from 0 to 1, and the reason in words, out.

Each agreement and each difference moves the log-odds that the two belong together, after Fellegi
and Sunter, "A Theory for Record Linkage" (1969); the score is their logistic. The weights of
stories were fitted by logistic regression to pairs of real films and books that were labelled by
hand, and rounded; `benchmarks/item_links.py` has them, and measures the outcome on other pairs.
"""

import math
from collections.abc import Iterator

from crossrec_pipeline.catalogue.links.comparison import Comparison

LEAST_SCORE = 0.6
"""Pairs that score less are no links. At 0.5 one of sixteen links of the labelled pairs was wrong,
at 0.6 one of thirty, for one link in a hundred less."""

# Stories.
_STORY = -3.4
"""What speaks against any two items whose titles are somewhat alike."""
_RARITY = 0.37
"""For each nat of rarity of the words that both titles have: a single common word ("Home", 4 nats)
says little, three rare ones ("Fried Green Tomatoes", 20) say it all."""
_MOST_RARITY = 15.0
"""More words do not make it surer: what is left to doubt is a sequel or a parody."""
_UNLIKE = -18.0
"""For titles that have no letter in common; those that are 0.9 alike lose a tenth of it."""
_LEFT_OUT_LATER = -0.5
"""For each nat of what only the later work's title has: mostly it is a sequel ("Psycho IV: The
Beginning") or another story in one world. Fitted -0.37, and raised, since sequels share names."""
_LEFT_OUT_EARLIER = -0.08
"""The same of the earlier work's title: books have subtitles that films drop."""
_MOST_LEFT_OUT = 10.0
_NUMBERS = -8.0
"""Another number is another work, whatever else is alike: sequels share all names. It was set, not
fitted: the labelled pairs have too few that differ in nothing else."""
_CREATORS = 2.0
"""For an author who is in the film's crew, or named by its title or description. Set, not fitted:
few of the labelled pairs have it."""
_TOLD = 0.9
"""For a film whose description speaks of a book."""
_NAMES = 0.125
_WORDS = 0.25
"""For each nat of rarity of the names, the other words that both descriptions have. A name weighs
less for being rare than a word does, since names are rarer."""
_MOST_SHARED = 12.0
_COSINE = 4.0
"""For the tf-idf cosine of the descriptions, which tells two names of ten from two of a hundred."""
_IN_TIME = 0.5
"""For a later work that came later by the dates, and against one that did not. Not fitted, and
small: dates of books are often those of a reprint."""
_LIKENESS = 0.6
"""For each standard deviation by which the embeddings are more alike than `_USUAL_LIKENESS`."""
_USUAL_LIKENESS = 4.0
"""Half way: of the labelled pairs with one story half are above 5.9 (with the sentence model
all-MiniLM-L6-v2), of the others half are below 2.4; more than 0, since titles are alike in both."""

# Editions: creators are the same, and what tells works of one creator apart is the title.
_EDITION = 1.0
_EDITION_RARITY = 0.15
_EDITION_UNLIKE = -30.0
"""Works of a series differ in a word of the title: "Clockwork Prince", "Clockwork Princess"."""
_EDITION_LEFT_OUT = -0.4
"""For each nat of what only one of the titles has: casts are creators too, and a sequel ("Top Gun:
Maverick") mostly has the same."""
_COLLECTION_LEFT_OUT = -0.15
"""The same where one of the two is a collection, which has a name of its own."""
_EDITION_BOTH_LEFT_OUT = -6.0
"""Where each title has words of its own, they are parts of a series."""
_EDITION_PART = -4.0
"""Where one is a part ("The Godfather Part II") and the other is not."""
_LEAST_IN_COMMON = 0.5
_EDITION_FEW_CREATORS = -4.0
"""Where less than half of the creators are the same: a remake with one of the first cast."""

_RARE, _COMMON = 10.0, 6.0
"""Titles are called rare or common beyond these, in nats."""
_MOST_NAMED = 4


def story_score(pair: Comparison) -> float:
    """Score that two items of different types tell one story; the left one is the earlier work."""
    odds = (
        _STORY
        + _RARITY * min(pair.rarity, _MOST_RARITY)
        + _UNLIKE * (1 - pair.similarity)
        + _LEFT_OUT_EARLIER * min(pair.left_out_rarity[0], _MOST_LEFT_OUT)
        + _LEFT_OUT_LATER * min(pair.left_out_rarity[1], _MOST_LEFT_OUT)
        + _NUMBERS * pair.numbers_differ
        + _CREATORS * bool(pair.creators)
        + _TOLD * pair.told
        + _NAMES * min(pair.shared.names_rarity, _MOST_SHARED)
        + _WORDS * min(pair.shared.others_rarity, _MOST_SHARED)
        + _COSINE * pair.shared.cosine
    )
    if pair.years is not None:
        odds += _IN_TIME if pair.years >= 0 else -_IN_TIME
    if pair.likeness is not None:
        odds += _LIKENESS * (pair.likeness - _USUAL_LIKENESS)
    return _logistic(odds)


def edition_score(pair: Comparison) -> float:
    """Score that two items of one type and creator are editions of one work."""
    left_out = _COLLECTION_LEFT_OUT if pair.collected else _EDITION_LEFT_OUT
    odds = (
        _EDITION
        + _EDITION_RARITY * min(pair.rarity, _MOST_RARITY)
        + _EDITION_UNLIKE * (1 - pair.similarity)
        + left_out * min(max(pair.left_out_rarity), _MOST_LEFT_OUT)
        + _EDITION_BOTH_LEFT_OUT * all(pair.left_out)
        + _EDITION_PART * (pair.part_of_one and not pair.collected)
        + _EDITION_FEW_CREATORS * (pair.share_of_creators < _LEAST_IN_COMMON)
        + _NUMBERS * pair.numbers_differ
        + _COSINE * pair.shared.cosine
    )
    return _logistic(odds)


def story_reason(pair: Comparison, earlier_type: str, later_type: str) -> str:
    """Say why two items are taken to tell one story, what weighs most first."""
    return "; ".join(_story_reasons(pair, earlier_type.lower(), later_type.lower()))


def edition_reason(pair: Comparison) -> str:
    """Say why two items are taken to be editions of one work."""
    return "; ".join(
        [*_of_titles(pair), f"both by {_listed(pair.creators)}", *_of_descriptions(pair)]
    )


def _logistic(odds: float) -> float:
    return round(1 / (1 + math.exp(-odds)), 4)


def _story_reasons(pair: Comparison, earlier: str, later: str) -> Iterator[str]:
    yield from _of_titles(pair)
    if pair.creators:
        yield f"{_listed(pair.creators)} named in both"
    if pair.told:
        yield f"the {later}'s description speaks of a {earlier}"
    if pair.years is not None:
        yield _in_time(pair.years, earlier)
    yield from _of_descriptions(pair)
    if pair.likeness is not None and pair.likeness > _USUAL_LIKENESS:
        yield "descriptions mean much the same"


def _of_titles(pair: Comparison) -> Iterator[str]:
    left_out = [" ".join(found) for found in pair.left_out if found]
    same = "same title" if pair.similarity >= 1 else f"titles {pair.similarity:.2f} alike"
    if left_out:
        same += f" but for {_listed([f'“{text}”' for text in left_out])}"
    yield same
    if pair.rarity >= _RARE:
        yield "of rare words"
    elif pair.rarity < _COMMON:
        yield "though of common words"
    if pair.numbers_differ:
        yield "though the numbers differ"
    if pair.collected:
        yield "one of them holds several works"


def _in_time(years: float, earlier: str) -> str:
    whole = round(abs(years))
    if whole == 0:
        return "of the same year"
    unit = "year" if whole == 1 else "years"
    return f"the {earlier} came {whole} {unit} {'before' if years > 0 else 'after'}"


def _of_descriptions(pair: Comparison) -> Iterator[str]:
    for what, found in (("names", pair.shared.names), ("words", pair.shared.others)):
        if found:
            yield f"{what} in both descriptions: {', '.join(found[:_MOST_NAMED])}"


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = list(names[:_MOST_NAMED])
    *before, last = shown
    return f"{', '.join(before)} and {last}" if before else last
