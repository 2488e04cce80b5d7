"""Small item tables for tests of searches."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crossrec_pipeline.models.inner_product.exact import exact_scores
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.item_table import (
    ItemTable,
    open_item_table,
    write_item_table,
)
from crossrec_pipeline.serving.engine.search import Found


def table_of(
    weight: np.ndarray,
    bias: np.ndarray,
    type_codes: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
) -> ItemTable:
    """Write a table and open it; one type and one cluster by default."""
    zeros = np.zeros(len(weight), dtype=np.int64)
    types = zeros if type_codes is None else type_codes
    with tempfile.TemporaryDirectory() as folder:  # what is mapped outlives its name
        clusters = zeros if cluster is None else cluster
        write_item_table(Path(folder), weight, bias, types, clusters, "a model")
        return open_item_table(Path(folder), weight, bias, "a model")


def best_one_by_one(
    table: ItemTable, type_codes: np.ndarray, hidden: np.ndarray, queries: Sequence[Query]
) -> list[Found]:
    """Score every item and sort."""
    found = []
    everything = np.arange(len(table.item_bias))
    for row, query in enumerate(queries):
        scores = exact_scores(
            hidden,
            table.weight,
            table.item_bias,
            np.full(len(everything), row),
            everything,
        )
        allowed = [
            item
            for item in everything.tolist()
            if (query.types is None or type_codes[item] in query.types)
            and item not in query.excluded
        ]
        best = sorted(allowed, key=lambda item, scores=scores: (-scores[item], item))
        items = np.array(best[: query.top_k], dtype=np.int32)
        found.append((items, scores[items]))
    return found


def assert_found(found: Sequence[Found], expected: Sequence[Found]) -> None:
    """Compare items and scores, bit by bit."""
    assert len(found) == len(expected)
    for (items, scores), (wanted, their_scores) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(items, wanted)
        np.testing.assert_array_equal(scores, their_scores)
