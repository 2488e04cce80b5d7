"""From what a person types (an id, or a title without prefix) to one item of a vocabulary."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from rapidfuzz import fuzz, process

from crossrec_pipeline.errors import UnknownItemError
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_SUGGESTIONS = 3
_LEAST_LIKENESS = 60
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
        likeliest = process.extract(
            _normal(name),
            list(self._candidates),
            scorer=fuzz.WRatio,
            limit=_SUGGESTIONS,
            score_cutoff=_LEAST_LIKENESS,
        )
        near = dict.fromkeys(
            index for match, _, _ in likeliest for index in self._candidates[match]
        )
        if not near:
            return f"{name!r} is not an item this model knows."
        listed = ", ".join(self._describe(index) for index in list(near)[:_SUGGESTIONS])
        return f"{name!r} is not an item this model knows. Did you mean {listed}?"

    def _describe(self, index: int) -> str:
        item_id, title = self._vocabulary.frame.select("item_id", "title").row(index)
        return item_id if title in item_id.partition("_")[2] else f"{item_id} ({title})"


def _normal(name: str) -> str:
    return " ".join(name.casefold().split())
