import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.sessions.item_codes import ItemCodes, fill_slots, find_in_slots

CATALOGUE = pl.Series(["b", "c", "a", "b", None])


def test_codes_of_the_catalogue_follow_the_order_of_its_ids() -> None:
    codes = ItemCodes(CATALOGUE)
    assert codes.n_in_catalogue == 3
    assert codes.encode(pa.array(["c", "a", "b", "a"])).tolist() == [2, 0, 1, 0]


def test_ids_outside_the_catalogue_get_the_next_codes_as_they_are_met() -> None:
    codes = ItemCodes(CATALOGUE)
    assert codes.encode(pa.array(["z", "a", "y"])).tolist() == [3, 0, 4]
    assert codes.encode(pa.array(["y", "x", "z"])).tolist() == [4, 5, 3]
    assert len(codes) == 6


def test_codes_are_decoded() -> None:
    codes = ItemCodes(CATALOGUE)
    codes.encode(pa.array(["z"]))
    assert codes.decode(np.array([3, 0, 0])).to_list() == ["z", "a", "a"]


def test_empty_catalogue_knows_nothing() -> None:
    codes = ItemCodes(pl.Series([], dtype=pl.String))
    assert codes.encode(pa.array(["b", "a"])).tolist() == [0, 1]
    assert codes.encode(pa.array([], pa.string())).tolist() == []


def test_ids_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = ItemCodes(CATALOGUE)
    hash_of_a = int(codes._hash(pl.Series(["a"]))[0])
    # "q" hashes like "a" now.
    monkeypatch.setattr(codes, "_hash", lambda ids: np.full(len(ids), hash_of_a, dtype=np.uint64))
    assert codes.encode(pa.array(["q", "a"])).tolist() == [3, 0]


@given(st.lists(st.integers(0, 2**64 - 1), unique=True), st.lists(st.integers(0, 2**64 - 1)))
def test_table_finds_what_was_put_in_and_nothing_else(inside: list[int], others: list[int]) -> None:
    hashes = np.array(inside, dtype=np.uint64)
    slots, is_unique = fill_slots(hashes)
    assert is_unique
    wanted = [*inside, *others]
    found = find_in_slots(np.array(wanted, dtype=np.uint64), slots, hashes)
    assert found.tolist() == [inside.index(h) if h in inside else -1 for h in wanted]


def test_equal_hashes_are_noticed() -> None:
    assert not fill_slots(np.array([5, 9, 5], dtype=np.uint64))[1]
