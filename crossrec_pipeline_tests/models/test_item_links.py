from itertools import pairwise

import numpy as np
import polars as pl

from crossrec_pipeline.catalogue.schema import ITEM_LINKS
from crossrec_pipeline.models.item_links import INDEXES, LinkedItems

IDS = pl.Series(["a", "b", "c", "d"])


def _links(*pairs: str) -> pl.DataFrame:
    rows = [(*pair, "story", 0.9, "same title") for pair in pairs]
    return pl.DataFrame(rows, schema=ITEM_LINKS, orient="row")


def rows(linked: LinkedItems) -> list[list[int]]:
    return [linked.values[a:b].tolist() for a, b in pairwise(linked.offsets)]


def test_links_hold_from_both_ends_in_any_order():
    linked = LinkedItems.of(_links("ca", "cd", "ab"), IDS)

    assert rows(linked) == [[1, 2], [0], [0, 3], [2]]
    assert rows(LinkedItems.of(_links("ba", "dc", "ac"), IDS)) == rows(linked)
    assert (linked.offsets.dtype, linked.values.dtype) == (np.int64, np.int32)


def test_what_is_no_link_of_two_known_items_is_left_out():
    assert rows(LinkedItems.of(_links("ax", "xy", "bb", "cd", "cd"), IDS)) == [[], [], [3], [2]]


def test_nothing_is_linked():
    assert rows(LinkedItems.of(_links(), IDS)) == rows(LinkedItems.none(4)) == [[]] * 4
    assert rows(LinkedItems.none(0).grown(pl.Series([], dtype=INDEXES))) == []


def test_further_items_are_linked_from_both_ends():
    first = LinkedItems.of(_links("ac"), IDS)
    further = pl.Series([[2, 5], [], [0]], dtype=INDEXES)

    grown = first.grown(further)

    assert rows(grown) == [[2, 6], [], [0, 4], [], [2, 5], [4], [0]]
    assert rows(first) == [[2], [], [0], []]
    # As if all had been there at once.
    everything = pl.concat([IDS, pl.Series(["e", "f", "g"])])
    assert rows(LinkedItems.of(_links("ac", "ce", "ef", "ag"), everything)) == rows(grown)
    assert grown.rows_from(4).to_list() == [[2, 5], [4], [0]]
    assert grown.rows_from(4).dtype == INDEXES


def test_further_items_without_links_change_no_row():
    first = LinkedItems.of(_links("ac"), IDS)

    assert rows(first.grown(pl.Series([[], []], dtype=INDEXES))) == [*rows(first), [], []]
