"""From what a person types (an id, or a title without prefix) to one item of a vocabulary."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from rapidfuzz import fuzz, process

from crossrec_pipeline.errors import UnknownItemError
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_SUGGESTIONS = 3
_SHORTEST_PART = 4
_LONGEST_WHOLE = 4
_PART_WEIGHT = 0.9
_LEAST_LIKENESS = 65
_LISTED_CANDIDATES = 5


class ItemNames:
    """Finds items by id, by id without its prefix, or by title; case and outer blanks do not count.

    Parameters
    ----------
    vocabulary
        The items that can be found.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def find(self, names: Sequence[str]) -> np.ndarray:
        """Return the item index of each name, int32 [n_names].

        An exact id always means that item. Any other name must fit one item only.

        Raises
        ------
        UnknownItemError
            Naming every name that fits no item, with near matches, or several, with their ids.
        """
        found: list[int] = []
        problems: list[str] = []
        for name in names:
            if name in self._vocabulary:
                found.append(self._vocabulary.index_of(name))
                continue
            candidates = self._candidates.get(_normal(name), [])
            if len(candidates) == 1:
                found.append(candidates[0])
            elif candidates:
                problems.append(self._ambiguous(name, candidates))
            else:
                problems.append(self._unknown(name))
        if problems:
            raise UnknownItemError("\n".join(dict.fromkeys(problems)))
        return np.array(found, dtype=np.int32)

    @cached_property
    def _candidates(self) -> dict[str, list[int]]:
        """Item indexes by normalised id, id without prefix, and title."""
        candidates: defaultdict[str, dict[int, None]] = defaultdict(dict)
        rows = self._vocabulary.frame.select("item_id", "title").iter_rows()
        for index, (item_id, title) in enumerate(rows):
            for name in (item_id, item_id.partition("_")[2], title):
                if name:
                    candidates[_normal(name)][index] = None
        return {name: list(indexes) for name, indexes in candidates.items()}

    def _ambiguous(self, name: str, candidates: list[int]) -> str:
        listed = ", ".join(self._describe(index) for index in candidates[:_LISTED_CANDIDATES])
        more = len(candidates) - _LISTED_CANDIDATES
        rest = f" and {more} more" if more > 0 else ""
        return f"{name!r} fits {len(candidates)} items: {listed}{rest}. Give the id of one."

    def _unknown(self, name: str) -> str:
        # A prefix that the name has makes all items of that type alike: it chooses among them,
        # and what follows it is compared.
        prefix, _, rest = name.partition("_")
        ids = self._vocabulary.item_ids
        meant = f"{prefix.casefold()}_"
        has_prefix = any(item_id.casefold().startswith(meant) for item_id in ids)
        matches = process.extract(
            _normal(rest if has_prefix else name),
            list(self._candidates),
            scorer=_likeness,
            limit=None,
            score_cutoff=_LEAST_LIKENESS,
        )
        near = dict.fromkeys(
            index
            for match, _, _ in matches
            for index in self._candidates[match]
            if not has_prefix or ids[index].casefold().startswith(meant)
        )
        if not near:
            return f"{name!r} is not an item this model knows."
        listed = ", ".join(self._describe(index) for index in list(near)[:_SUGGESTIONS])
        return f"{name!r} is not an item this model knows. Did you mean {listed}?"

    def _describe(self, index: int) -> str:
        item_id, title = self._vocabulary.frame.select("item_id", "title").row(index)
        return item_id if title in item_id.partition("_")[2] else f"{item_id} ({title})"


def _likeness(name: str, candidate: str, *, score_cutoff: float | None = None) -> float:
    """Compare two names, 0 to 100: as a whole, one as a part of the other, or by their words.

    `fuzz.WRatio` also takes a part a fraction as long, and then finds "Up" in "Mummies".
    """
    whole = fuzz.ratio(name, candidate)
    shorter, longer = sorted((len(name), len(candidate)))
    if shorter < _SHORTEST_PART or shorter * _LONGEST_WHOLE < longer:
        return whole
    part = max(fuzz.partial_ratio(name, candidate), fuzz.token_set_ratio(name, candidate))
    return max(whole, _PART_WEIGHT * part)


def _normal(name: str) -> str:
    return " ".join(name.casefold().split())
