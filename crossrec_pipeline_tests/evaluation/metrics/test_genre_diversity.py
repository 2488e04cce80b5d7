import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.evaluation.metrics import genre_diversity
from crossrec_pipeline.evaluation.metrics.genre_diversity import genre_words
from crossrec_pipeline_tests.evaluation.metrics.lists import N_ITEMS, NO_LISTS, lists

GENRES = [["Drama", "Crime"], ["Drama"], ["Jazz"], ["Unknown"], ["Crime", "Drama"]]
WORDS = genre_words(GENRES)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([0, 4], 0.0),  # the same genres in another order
        ([0, 1], 1 - 1 / 2),
        ([1, 2], 1.0),
        ([0, 1, 2], (1 / 2 + 1 + 1) / 3),
        ([0, 1, 3], 1 / 2),  # nothing is known of the third: one pair is left
    ],
)
def test_mean_jaccard_distance_of_pairs(items: list[int], expected: float):
    assert genre_diversity.calc(np.array([items]), WORDS) == pytest.approx(expected)


def test_a_list_without_a_known_pair_has_no_value():
    values = genre_diversity.per_prediction(np.array([[0, 3], [0, 1]]), WORDS)

    assert math.isnan(values[0])
    assert genre_diversity.calc(np.array([[0, 3], [0, 1]]), WORDS) == 0.5


def test_no_lists_is_not_zero():
    assert math.isnan(genre_diversity.calc(NO_LISTS, WORDS))


def test_a_catalogue_without_genres_has_no_value():
    assert math.isnan(genre_diversity.calc(np.array([[0, 1]]), genre_words([["Unknown"], []])))


genres_of_items = st.lists(
    st.lists(st.integers(0, 99).map(str), max_size=4), min_size=N_ITEMS, max_size=N_ITEMS
)


@given(lists(min_length=2), genres_of_items)
def test_equal_to_going_through_all_pairs(items: np.ndarray, genres: list[list[str]]):
    found = genre_diversity.per_prediction(items, genre_words(genres))

    for row, value in zip(items.tolist(), found, strict=True):
        pairs = [(set(genres[a]), set(genres[b])) for a, b in combinations(row, 2)]
        distances = [1 - len(a & b) / len(a | b) for a, b in pairs if a and b]
        if distances:
            assert value == pytest.approx(sum(distances) / len(distances))
        else:
            assert math.isnan(value)


def test_more_genres_than_a_word_has_bits_stay_apart():
    words = genre_words([[f"genre {i:03}"] for i in range(130)])

    assert words.shape == (130, 3)
    assert genre_diversity.calc(np.arange(130)[None], words) == 1.0
