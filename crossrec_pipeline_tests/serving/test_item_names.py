import pytest

from crossrec_pipeline.errors import UnknownItemError
from crossrec_pipeline.serving.item_names import ItemNames
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

NAMES = ItemNames(
    vocabulary_of("Movie_Creed III", "Book_Dune", "Movie_Dune", "Music_Paint It, Black", "Book_It")
)


@pytest.mark.parametrize(
    "name", ["Movie_Creed III", "Creed III", "creed iii", "  CREED   III ", "movie_creed iii"]
)
def test_item_is_found_by_id_or_title_in_any_case(name: str) -> None:
    assert NAMES.find([name]).tolist() == [0]


def test_items_come_back_in_the_order_asked_for() -> None:
    assert NAMES.find(["it", "Movie_Dune", "Creed III", "It"]).tolist() == [4, 2, 0, 4]


def test_title_of_two_types_is_refused_with_its_candidates() -> None:
    with pytest.raises(UnknownItemError, match="'dune' fits 2 items: Book_Dune, Movie_Dune"):
        NAMES.find(["dune"])


def test_id_settles_which_of_two_is_meant() -> None:
    assert NAMES.find(["Book_Dune"]).tolist() == [1]


def test_unknown_item_is_named_with_near_matches() -> None:
    with pytest.raises(UnknownItemError, match=r"'Cred II' .*Did you mean Movie_Creed III"):
        NAMES.find(["Cred II"])


def test_misspelt_id_is_matched_too() -> None:
    with pytest.raises(UnknownItemError, match=r"Did you mean Book_Dune"):
        NAMES.find(["Book_Dnue"])


def test_every_unknown_item_is_named_once() -> None:
    with pytest.raises(UnknownItemError) as caught:
        NAMES.find(["Qqqq", "Creed III", "Zzzz", "Qqqq"])
    assert str(caught.value).splitlines() == [
        "'Qqqq' is not an item this model knows.",
        "'Zzzz' is not an item this model knows.",
    ]


def test_title_is_shown_where_the_id_does_not_hold_it() -> None:
    vocabulary = vocabulary_of("Music_4uLU6h", "Music_7ouMYW")
    titled = vocabulary.frame.with_columns(title=vocabulary.frame["title"].replace("4uLU6h", "Ode"))
    names = ItemNames(type(vocabulary)(titled))
    assert names.find(["ode"]).tolist() == [0]
    assert names.find(["4ulu6h"]).tolist() == [0]
    with pytest.raises(UnknownItemError, match=r"Did you mean Music_4uLU6h \(Ode\)"):
        names.find(["Odee"])


def test_many_items_of_one_title_are_counted() -> None:
    vocabulary = vocabulary_of(*(f"Music_{n}" for n in range(7)))
    names = ItemNames(
        type(vocabulary)(vocabulary.frame.with_columns(title=vocabulary.frame["item_type"]))
    )
    with pytest.raises(UnknownItemError, match=r"fits 7 items: .*Music_4 \(Music\) and 2 more"):
        names.find(["music"])
