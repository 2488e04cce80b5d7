"""A session, its ranking and the items' details in; why an item is recommended, in words, out."""

import math
from collections.abc import Iterable
from typing import Literal

from crossrec_pipeline.serving.api.schemas import Because, Explanation, ItemSummary, Shared
from crossrec_pipeline.serving.engine.base import Ranking
from crossrec_pipeline.serving.items.catalogue import ItemCatalogue

MOST_REASONS = 3
LONGEST_TITLE = 40
NOTHING_SPEAKS_FOR_IT = "Often chosen after sessions like yours."

_LEAST_SHARE = 0.1
_MOSTLY = 0.6
_BELONGING = ("story", "edition")
_LARGEST_BAND = 3
"""Longer lists of creators are casts: an item is with one of them, not by one of them."""


def explain(
    catalogue: ItemCatalogue, session: Iterable[int], ranking: Ranking, place: int
) -> Explanation:
    """Say why an item is recommended: which events speak for it, and what it shares with them.

    Parameters
    ----------
    catalogue
        Details of the model's items.
    session
        Item indexes, oldest first, as they were ranked for.
    ranking
        The answer to that session. Without `influence`, only what is shared is told.
    place
        Place of the item in the ranking, from 0.

    Returns
    -------
    Explanation
        `because` has the items with most influence, an item's repeats taken together; their
        shares are of all that speaks for the recommended item. What little speaks for it (less
        than a tenth) is not told. `shared` has the story or work first, then creators, then genres.
    """
    recommended = int(ranking.items[place])
    influence = _influence_by_item(session, ranking, place)
    # What speaks most for the item comes first; of equal ones the latest.
    strongest_first = sorted(influence, key=lambda item: -influence[item])
    because = _because(catalogue, influence, strongest_first)
    shared = _shared(catalogue, recommended, strongest_first)
    return Explanation(
        sentence=_sentence(catalogue.summary(recommended), because, shared),
        because=because,
        shared=shared,
    )


def _influence_by_item(session: Iterable[int], ranking: Ranking, place: int) -> dict[int, float]:
    """Add up what the events of each item did, the item of the last event first."""
    items = [int(item) for item in session]
    if ranking.influence is None:
        return dict.fromkeys(reversed(items), 0.0)
    sums: dict[int, float] = {}
    for item, value in zip(items[::-1], ranking.influence[place, ::-1].tolist(), strict=True):
        sums[item] = sums.get(item, 0.0) + value
    return sums


def _because(
    catalogue: ItemCatalogue, influence: dict[int, float], strongest_first: list[int]
) -> list[Because]:
    total = sum(value for value in influence.values() if 0 < value < math.inf)
    found = []
    for item in strongest_first[:MOST_REASONS]:
        if not 0 < influence[item] < math.inf:
            continue
        # Rounded down: shares never add up to more than one.
        share = math.floor(10_000 * (influence[item] / total)) / 10_000
        if share >= _LEAST_SHARE:
            summary = catalogue.summary(item)
            found.append(Because(item_id=summary.item_id, title=summary.title, share=share))
    return found


def _shared(catalogue: ItemCatalogue, recommended: int, others: list[int]) -> list[Shared]:
    """List story or work, creators, telling genres, each with the first of `others` that has it."""
    own = catalogue.credits(recommended)
    theirs = [(other, catalogue.credits(other)) for other in others if other != recommended]
    creators = [(other, found.creators) for other, found in theirs]
    genres = [(other, found.genres) for other, found in theirs]
    return [
        *_belonging(catalogue, recommended, others),
        *_in_both(catalogue, "creator", own.creators, creators),
        *_in_both(catalogue, "genre", own.genres, genres),
    ][:MOST_REASONS]


def _belonging(catalogue: ItemCatalogue, recommended: int, others: list[int]) -> list[Shared]:
    """Name the first of `others` that tells the same story or is another edition."""
    links = catalogue.links(recommended)
    for other in others if links.same_story or links.same_work else ():
        item = catalogue.summary(other)
        if item.item_id in links.same_story:
            # Which of the two was first is not always known; this is true either way round.
            types = catalogue.summary(recommended).item_type.lower(), item.item_type.lower()
            value = "the {} of the {}".format(*types)
            return [Shared(kind="story", value=value, item_id=item.item_id, title=item.title)]
        if item.item_id in links.same_work:
            value = "another version of"
            return [Shared(kind="edition", value=value, item_id=item.item_id, title=item.title)]
    return []


def _in_both(
    catalogue: ItemCatalogue,
    kind: Literal["creator", "genre"],
    own: dict[str, str],
    theirs: list[tuple[int, dict[str, str]]],
) -> list[Shared]:
    overlapping = [(other, names) for other, names in theirs if not own.keys().isdisjoint(names)]
    found = []
    for key, name in own.items() if overlapping else ():
        other = next((other for other, names in overlapping if key in names), None)
        if other is not None:
            item = catalogue.summary(other)
            found.append(Shared(kind=kind, value=name, item_id=item.item_id, title=item.title))
    return found


def _sentence(recommended: ItemSummary, because: list[Because], shared: list[Shared]) -> str:
    others = [reason for reason in because if reason.item_id != recommended.item_id]
    belonging = shared[0] if shared and shared[0].kind in _BELONGING else None
    parts = []
    if len(others) < len(because):
        parts.append("it is in your session already")
    if belonging:
        parts.append(f"{belonging.value} {_short(belonging.title)}")
        # That speaks for itself.
        others = [reason for reason in others if reason.item_id != belonging.item_id]
    outweighs = len(others) > 1 and others[0].share >= _MOSTLY
    named = others[:1] if outweighs else others
    if named:
        # Two items may have one title.
        titles = list(dict.fromkeys(_short(reason.title) for reason in named))
        parts.append(f"{'mostly ' if outweighs else ''}because of {_listed(titles)}")
    if shared and not belonging:
        parts.append(_in_common(recommended, shared[0], named))
    if not parts:
        return NOTHING_SPEAKS_FOR_IT
    sentence = "; also ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}{'' if sentence.endswith('…') else '.'}"


def _in_common(recommended: ItemSummary, shared: Shared, named: list[Because]) -> str:
    """Say what is shared, and with which item unless that is the only one named."""
    what = _short(shared.value)
    if shared.kind == "creator":
        what = f"{'by' if len(recommended.creators) <= _LARGEST_BAND else 'with'} {what}"
    if [reason.item_id for reason in named] == [shared.item_id]:
        return what
    return f"{what}, like {_short(shared.title)}"


def _listed(names: list[str]) -> str:
    *earlier, last = names
    return f"{', '.join(earlier)} and {last}" if earlier else last


def _short(text: str) -> str:
    """Cut a long text between words, before a bracket that would stay open."""
    if len(text) <= LONGEST_TITLE:
        return text
    cut = text[: LONGEST_TITLE - 1]
    for mark in (" (", " "):
        at_mark = cut.rpartition(mark)[0]
        if len(at_mark) > LONGEST_TITLE // 3:
            cut = at_mark
            break
    return f"{cut.rstrip(' ,;:-–—(.')}…"
