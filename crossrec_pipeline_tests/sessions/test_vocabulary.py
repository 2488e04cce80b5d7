from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.sessions.vocabulary import Vocabulary

ITEMS = pl.DataFrame(
    {
        "title": ["Z", "A", "M"],
        "item_id": ["Movie_Z", "Book_A", "Music_M"],
        "item_type": ["Movie", "Book", "Music"],
        "support": [9, 5, 5],
        "extra": [1, 2, 3],
    }
)
VOCABULARY = Vocabulary.from_items(ITEMS)


def test_items_are_numbered_from_zero_in_their_order() -> None:
    assert VOCABULARY.item_ids == ["Movie_Z", "Book_A", "Music_M"]
    assert VOCABULARY.frame["item_index"].to_list() == [0, 1, 2]
    assert VOCABULARY.n_items == 3


def test_every_index_is_a_real_item() -> None:
    encoded = VOCABULARY.encode(VOCABULARY.item_ids)
    assert encoded.tolist() == list(range(VOCABULARY.n_items))
    assert encoded.dtype == np.int32
    assert VOCABULARY.index_of("Movie_Z") == 0


def test_unknown_id_is_a_key_error() -> None:
    assert "Movie_?" not in VOCABULARY
    with pytest.raises(KeyError):
        VOCABULARY.encode(["Movie_?"])


def test_type_codes_are_positions_among_the_sorted_types() -> None:
    assert VOCABULARY.types == ["Book", "Movie", "Music"]
    assert VOCABULARY.type_codes.tolist() == [1, 0, 2]


def test_support_is_by_item_index() -> None:
    assert VOCABULARY.support.tolist() == [9, 5, 5]


def test_saved_vocabulary_loads_equal(tmp_path: Path) -> None:
    VOCABULARY.save(tmp_path / "vocabulary.parquet")
    loaded = Vocabulary.load(tmp_path / "vocabulary.parquet")
    assert loaded.frame.equals(VOCABULARY.frame)
    assert loaded.digest == VOCABULARY.digest


def test_order_of_items_is_part_of_the_content() -> None:
    assert Vocabulary.from_items(ITEMS.reverse()).digest != VOCABULARY.digest


def test_rows_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="not numbered"):
        Vocabulary(VOCABULARY.frame.reverse())


def test_other_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary has columns"):
        Vocabulary(VOCABULARY.frame.drop("title"))


def _later(*item_ids: str, item_type: str = "Book") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item_id": item_ids,
            "item_type": pl.Series([item_type] * len(item_ids), dtype=pl.Enum([item_type])),
            "title": [item_id.partition("_")[2] for item_id in item_ids],
            "genres": [["Crime"]] * len(item_ids),
        }
    )


def test_later_items_come_after_the_others_without_events() -> None:
    grown = VOCABULARY.grown(_later("Book_N", "Book_B"))
    assert grown.item_ids == ["Movie_Z", "Book_A", "Music_M", "Book_N", "Book_B"]
    assert grown.support.tolist() == [9, 5, 5, 0, 0]
    assert grown.frame["title"].to_list()[3:] == ["N", "B"]
    assert grown.frame.head(3).equals(VOCABULARY.frame)
    assert grown.type_codes.tolist() == [1, 0, 2, 0, 0]


def test_no_later_items_change_nothing() -> None:
    assert VOCABULARY.grown(_later()).digest == VOCABULARY.digest


@pytest.mark.parametrize("item_ids", [("Book_A",), ("Book_N", "Book_N")])
def test_an_item_is_known_once(item_ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"'{item_ids[0]}' is known already, or comes twice"):
        VOCABULARY.grown(_later(*item_ids))


def test_later_items_bring_no_new_types() -> None:
    with pytest.raises(ValueError, match="items of the type 'Game' are not among"):
        VOCABULARY.grown(_later("Game_G", item_type="Game"))
