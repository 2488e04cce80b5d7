"""Hidden states in; the items of the highest scores out, filtered as each query asks."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from crossrec_pipeline.models.inner_product.tiles import PANEL
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.item_table import ItemTable
from crossrec_pipeline.serving.engine.panels import query_operand, rounding_of_sums
from crossrec_pipeline.serving.engine.walk import walk

Found = tuple[np.ndarray, np.ndarray]
"""Items, best first and equal ones by index, int32 [K], and their scores, float32 [K]."""


class ItemSearch(Protocol):
    """Finds items by inner product."""

    name: str

    def best(self, hidden: np.ndarray, queries: Sequence[Query]) -> list[Found]:
        """Find each query's best items, by its hidden state, float32 [Q, H]."""
        ...


class WholeSearch:
    """Looks at all items that the types allow; its answers are exact.

    Parameters
    ----------
    table
        Of the items.
    panels
        Which kind of panels to multiply with, ``bytes`` or ``floats``.
    """

    def __init__(self, table: ItemTable, panels: str) -> None:
        self.name = f"all items, {panels}"
        self._walker = Walker(table, panels)

    def best(self, hidden: np.ndarray, queries: Sequence[Query]) -> list[Found]:
        """Find each query's best items; see `ItemSearch`."""
        found: list[Found] = [_NOTHING] * len(queries)
        for types, rows in by_types(queries).items():
            ranges = self._walker.ranges(types, None)
            of_rows = self._walker.walk(hidden[rows], [queries[row] for row in rows], types, ranges)
            for row, items in zip(rows, of_rows, strict=True):
                found[row] = items
        return found


class Walker:
    """Walks through stretches of panels for queries that allow the same types.

    Parameters
    ----------
    table
        Of the items.
    panels
        Which kind of panels to multiply with.
    """

    def __init__(self, table: ItemTable, panels: str) -> None:
        self._table = table
        self._panels = table.panels[panels]
        highest = float(np.abs(table.item_bias).max(initial=0))
        self._slack = rounding_of_sums(table.weight.shape[1]) * highest + 1e-30

    def ranges(self, types: tuple[int, ...] | None, clusters: np.ndarray | None) -> np.ndarray:
        """Return the panels that hold items of some types, int64 [R, 2].

        Parameters
        ----------
        types
            Codes; None is all.
        clusters
            In the order to walk through them; None is all.
        """
        segments = self._table.segments
        if clusters is not None:
            segments = segments[clusters]
        if types is None:
            return _panels_of(segments[:, :1], segments[:, -1:])
        known = [code for code in sorted(set(types)) if 0 <= code < self._table.n_types]
        return _panels_of(segments[:, known], segments[:, [code + 1 for code in known]])

    def walk(
        self,
        hidden: np.ndarray,
        queries: Sequence[Query],
        types: tuple[int, ...] | None,
        ranges: np.ndarray,
    ) -> list[Found]:
        """Find the best of what the ranges hold, for queries of the same types."""
        table, panels = self._table, self._panels
        operand = query_operand(hidden, panels)
        k = np.array([min(query.top_k, len(table.item_bias)) for query in queries])
        excluded = [np.sort(query.excluded).astype(np.int32) for query in queries]
        is_allowed = np.ones(table.n_types, dtype=np.bool_)
        if types is not None:
            is_allowed[:] = np.isin(np.arange(table.n_types), types)
        items = np.empty((len(queries), k.max()), dtype=np.int32)
        scores = np.empty(items.shape, dtype=np.float32)
        n_best = np.zeros(len(queries), dtype=np.int64)
        walk(
            panels.cells,
            panels.scale,
            panels.size,
            table.bias,
            table.items,
            table.types,
            table.longest,
            table.highest_bias,
            ranges,
            operand.rows,
            operand.starts,
            operand.scale,
            operand.margin,
            np.linalg.norm(hidden, axis=1),
            self._slack,
            is_allowed,
            np.concatenate(excluded),
            np.cumsum([len(of_query) for of_query in excluded], dtype=np.int64),
            k,
            hidden,
            table.weight,
            table.item_bias,
            items,
            scores,
            n_best,
        )
        return [
            (items[row, :n].copy(), scores[row, :n].copy()) for row, n in enumerate(n_best.tolist())
        ]


_NOTHING = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)


def by_types(queries: Sequence[Query]) -> dict[tuple[int, ...] | None, list[int]]:
    """Gather the numbers of the queries that allow the same types."""
    rows: dict[tuple[int, ...] | None, list[int]] = {}
    for row, query in enumerate(queries):
        rows.setdefault(query.types, []).append(row)
    return rows


def _panels_of(begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the panels of stretches of places, [C, S] each, no panel twice.

    Only neighbouring types of one cluster can share a panel.
    """
    first, last = begins // PANEL, -(-ends // PANEL)
    first[:, 1:] = np.maximum(first[:, 1:], last[:, :-1])
    stretches = np.stack([first.reshape(-1), last.reshape(-1)], axis=1)
    return stretches[(begins < ends).reshape(-1) & (stretches[:, 0] < stretches[:, 1])]
