from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.rules.item_knn import ItemKNN
from crossrec_pipeline_tests.models.rules.fitting import best, fitted, listed

# Events 0: 4, 1: 1, 2: 2, 3: 1.
SEQUENCES = [[0, 1], [0, 2], [0, 2], [0, 3]]


def test_similarity_is_the_cosine_of_the_session_vectors() -> None:
    # √(4 · 1) = 2 sessions of 0 and 1, one of them common; √(4 · 2) and two with 2.
    model = fitted(ItemKNN(shrinkage=0, decay=0), SEQUENCES, 5)
    assert listed(model, 0) == pytest.approx({1: 1 / 2, 2: 2 / 8**0.5, 3: 1 / 2})


def test_shrinkage_lowers_what_few_events_tell() -> None:
    # 0 and 1: 1 / √(9 · 6); 0 and 2: 2 / √(9 · 7).
    model = fitted(ItemKNN(shrinkage=5, decay=0), SEQUENCES, 5)
    assert listed(model, 0) == pytest.approx({1: 1 / 54**0.5, 2: 2 / 63**0.5, 3: 1 / 54**0.5})


def test_item_is_its_own_neighbour_where_sessions_come_back_to_it() -> None:
    # Two events of 0 in a session, each paired with the other; three events in all.
    model = fitted(ItemKNN(shrinkage=0, decay=0), [[0, 1, 0], [0]], 2)
    assert listed(model, 0) == pytest.approx({0: 2 / 3, 1: 2 / 3**0.5})


def test_items_that_are_no_neighbours_follow_by_popularity() -> None:
    assert best(fitted(ItemKNN(decay=0), SEQUENCES, 5), 1) == [0, 2, 1, 3, 4]


def test_earlier_items_count_with_decay() -> None:
    model = fitted(ItemKNN(shrinkage=0, decay=0.5), SEQUENCES, 5)
    # 0 is the neighbour of 1 (1 / 2, one place before the last) and of 2 (2 / √8).
    assert listed(model, 1, 2) == pytest.approx({0: 0.5 / 2 + 2 / 8**0.5})


@given(
    sequences=st.lists(st.sets(st.integers(0, 5), min_size=1), min_size=1, max_size=12),
    shrinkage=st.sampled_from([0.0, 3.0]),
)
def test_without_repeats_scores_are_those_of_the_matrix(
    sequences: list[set[int]], shrinkage: float
) -> None:
    model = fitted(ItemKNN(shrinkage, decay=0), [sorted(items) for items in sequences], 6)
    X = np.array([[item in items for item in range(6)] for items in sequences], dtype=float)
    gram = X.T @ X
    n = np.maximum(gram.diagonal() + shrinkage, 1)
    cosine = gram / np.sqrt(np.outer(n, n))
    np.fill_diagonal(cosine, 0)
    for item in range(6):
        neighbours = np.flatnonzero(cosine[item])
        assert listed(model, item) == pytest.approx({j: cosine[item, j] for j in neighbours})


def test_configuration_is_what_was_given() -> None:
    given: dict[str, Any] = {"shrinkage": 1.5, "decay": 0.3, "top": 4}
    assert ItemKNN(**given).config() == given


@pytest.mark.parametrize("shrinkage", [-1.0, float("inf"), float("nan")])
def test_impossible_shrinkage_is_refused(shrinkage: float) -> None:
    with pytest.raises(SettingsError, match=r"shrinkage=.*item_knn"):
        ItemKNN(shrinkage)
