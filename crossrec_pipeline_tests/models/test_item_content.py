from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.item_content import Bags, ItemContent
from crossrec_pipeline_tests.models.contents import (
    Texts,
    catalogue,
    content,
    texts,
    vocabulary,
)


def _words(bags: Bags, item: int) -> list[str]:
    return [bags.words[n] for n in bags.values[bags.offsets[item] : bags.offsets[item + 1]]]


def test_words_are_told_without_regard_to_case_and_once_an_item():
    bags = Bags.of(
        pl.Series([["War", "love "], [], ["LOVE", "Love"], None], dtype=pl.List(pl.String))
    )

    assert bags.words == ("love", "war")
    assert [_words(bags, item) for item in range(4)] == [["love", "war"], [], ["love"], []]


def test_words_of_too_few_items_are_left_out():
    bags = Bags.of(pl.Series([["a", "b"], ["b"], ["c"]]), least=2)

    assert bags.words == ("b",)
    assert [_words(bags, item) for item in range(3)] == [["b"], ["b"], []]


def test_given_words_keep_their_numbers_and_others_are_left_out():
    bags = Bags.of(pl.Series([["new", "b"], ["a"]]), words=("a", "b"))

    assert bags.words == ("a", "b")
    assert [_words(bags, item) for item in range(2)] == [["b"], ["a"]]


def test_what_the_catalogue_filled_in_says_nothing():
    known = content(10)

    assert _words(known.genres, 0) == []  # imputed
    assert _words(known.genres, 1) == ["love"]
    assert _words(known.genres, 2) == ["crime", "war"]


def test_items_the_catalogue_lacks_have_their_type_alone():
    items = pl.DataFrame({"item_id": ["i1", "gone"], "item_type": ["Movie", "Book"]})

    known = ItemContent.of(items, catalogue(3), texts(3))

    assert known.types == ("Book", "Movie")
    assert known.type_codes.tolist() == [1, 0]
    assert known.has_text.tolist() == [True, False]
    assert not known.text[1].any()
    assert _words(known.creators, 1) == []


def test_a_vector_of_zeros_is_no_text():
    known = ItemContent.of(
        catalogue(1).select("item_id", "item_type"), catalogue(1), Texts({"i0": np.zeros(3)})
    )

    assert known.has_text.tolist() == [False]


def test_without_a_catalogue_types_are_known():
    known = ItemContent.unknown(vocabulary(4))

    assert known.types == ("Book", "Movie")
    assert known.type_codes.tolist() == [0, 1, 0, 1]
    assert known.text.shape == (4, 0)
    assert known.genres.words == known.creators.words == ()


def test_new_items_are_seen_in_the_words_of_others():
    old = content(8)
    new = catalogue(3, first=8)

    known = ItemContent.of(new.select("item_id", "item_type"), new, texts(3, first=8), like=old)

    assert known.genres.words == old.genres.words
    assert known.types == old.types
    assert _words(known.creators, 0) == ["creator 0"]


def test_new_items_of_another_type_are_refused():
    new = pl.DataFrame({"item_id": ["x"], "item_type": ["Music"]})

    with pytest.raises(ValueError, match="'Music' are not among"):
        ItemContent.of(new, catalogue(1), None, like=content(8))


@given(st.permutations(range(9)))
def test_rows_of_the_catalogue_may_come_in_any_order(order: list[int]):
    items = catalogue(9)

    known = ItemContent.of(items.select("item_id", "item_type"), items[order], texts(9))

    assert known.digest == content(9).digest


def test_digest_tells_other_words_and_other_texts():
    items = catalogue(9)
    ids = items.select("item_id", "item_type")
    digests = {
        ItemContent.of(ids, items, texts(9)).digest,
        ItemContent.of(ids, items, None).digest,
        ItemContent.of(ids, items, Texts({"i1": np.ones(6)})).digest,
        ItemContent.of(ids, items.with_columns(genres=pl.lit(["x"])), texts(9)).digest,
        ItemContent.of(ids, items.with_columns(creators=pl.lit(["x"])), texts(9)).digest,
    }

    assert len(digests) == 5


def test_kept_and_opened_it_is_the_same(tmp_path: Path):
    known = content(9)
    known.save(tmp_path / "content.safetensors")

    again = ItemContent.open(tmp_path / "content.safetensors")

    assert again.digest == known.digest
    assert again.has_text.tolist() == known.has_text.tolist()
    assert again.genres.words == known.genres.words


@pytest.mark.parametrize("found", [None, b"", b"no safetensors"])
def test_a_missing_or_damaged_file_is_named(found: bytes | None, tmp_path: Path):
    path = tmp_path / "content.safetensors"
    if found is not None:
        path.write_bytes(found)

    with pytest.raises(TrainingError, match=r"content\.safetensors is missing, or does not hold"):
        ItemContent.open(path)
