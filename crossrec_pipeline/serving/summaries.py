"""Item indexes in, what answers show of each item out: kept at hand for the items asked for."""

from collections.abc import Callable, Sequence
from typing import Any

MOST_KEPT = 50_000


class Summaries:
    """Keeps the items shown of late; those kept longest go first.

    Parameters
    ----------
    look_up
        Describes one item, as JSON-like values.
    """

    def __init__(self, look_up: Callable[[int], dict[str, Any]]) -> None:
        self._look_up = look_up
        self._kept: dict[int, dict[str, Any]] = {}

    def of(self, items: Sequence[int]) -> tuple[list[dict[str, Any]], int]:
        """Describe items; say how many of them were at hand."""
        kept = self._kept
        found = [kept.get(item) for item in items]
        n_cached = len(found) - found.count(None)
        return [
            summary if summary is not None else self._add(item)
            for item, summary in zip(items, found, strict=True)
        ], n_cached

    def _add(self, item: int) -> dict[str, Any]:
        if len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        summary = self._kept[item] = self._look_up(item)
        return summary
