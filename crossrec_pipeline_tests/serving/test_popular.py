from crossrec_pipeline.serving.popular import PopularItems
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of
from crossrec_pipeline_tests.serving.api.running import vocabulary

# Events: 0 A 3, 1 B 3, 5 Face/Off 1 (movies); 2 C 2, 3 D 2, 7 100% 2 (music); 4 E 2, 6 Why? 1
# (books). Types in turn: book, movie, music.
POPULAR = PopularItems(vocabulary())


def test_types_are_taken_in_turn_each_by_its_events() -> None:
    assert POPULAR.best(8, None, ()) == [4, 0, 2, 6, 1, 3, 5, 7]


def test_asked_types_only() -> None:
    assert POPULAR.best(10, (1,), ()) == [0, 1, 5]
    assert POPULAR.best(2, (2, 1, 1), ()) == [0, 2]


def test_excluded_items_make_room_for_the_next() -> None:
    assert POPULAR.best(3, None, [4, 0]) == [6, 1, 2]


def test_nothing_is_left_when_all_is_excluded() -> None:
    assert POPULAR.best(5, None, range(8)) == []


def test_one_type_is_one_list() -> None:
    assert PopularItems(vocabulary_of("Movie_A", "Movie_B")).best(5, None, ()) == [0, 1]
