from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.rules import ease
from crossrec_pipeline.models.rules.ease import EASE
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.rules.fitting import best, fitted, listed
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

# 0 occurs with 1 in one session (the repeated 0 counts once), 2 alone.
SEQUENCES = [[0, 1, 0], [0], [2]]


def solved(sequences: list[list[int]], n_items: int, regularisation: float) -> np.ndarray:
    """B of the paper, by numpy's general inverse in 64 bits."""
    X = np.array([[item in sequence for item in range(n_items)] for sequence in sequences])
    P = np.linalg.inv(X.T.astype(float) @ X + regularisation * np.eye(n_items))
    B = -P / P.diagonal()
    np.fill_diagonal(B, 0)
    return B


def test_map_is_that_of_the_inverse() -> None:
    # Gram matrix of 0 and 1 with λ = 1: [[3, 1], [1, 2]]; its inverse: [[2, -1], [-1, 3]] / 5.
    # B of row 0, column 1: 1 / 3; of row 1, column 0: 1 / 2.
    model = fitted(EASE(regularisation=1, decay=1), SEQUENCES, 3)
    assert listed(model, 0) == pytest.approx({1: 1 / 3})
    assert listed(model, 1) == pytest.approx({0: 1 / 2})


def test_item_that_was_always_alone_falls_back_on_popularity() -> None:
    model = fitted(EASE(regularisation=1), SEQUENCES, 3)
    assert listed(model, 2) == {}
    assert best(model, 2) == [0, 1, 2]


def test_only_the_largest_of_a_row_are_kept_whatever_their_sign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sequences = [[0, 1], [1, 2], [1, 2], [3, 0], [3, 2, 1]]
    B = solved(sequences, 4, 0.5)
    monkeypatch.setattr(ease, "_CELLS_PER_BLOCK", 4)  # a row at a time
    model = fitted(EASE(regularisation=0.5, decay=1, top=2), sequences, 4)
    for row, values in enumerate(B):
        values[np.argsort(-np.abs(values))[2:]] = 0
        above_zero = {item: value for item, value in enumerate(values) if value > 0}
        assert listed(model, row) == pytest.approx(above_zero, rel=1e-5)
    assert (B < 0).any()


@given(
    sequences=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=7), min_size=1, max_size=9),
    session=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    regularisation=st.sampled_from([0.5, 20.0]),
)
def test_scores_are_those_of_the_matrix(
    sequences: list[list[int]], session: list[int], regularisation: float
) -> None:
    model = fitted(EASE(regularisation, decay=1), sequences, 6)
    wanted = solved(sequences, 6, regularisation)[sorted(set(session))].sum(axis=0)
    found = listed(model, *session)
    for item, score in enumerate(wanted):
        assert found.get(item, 0.0) == pytest.approx(max(score, 0.0), abs=1e-5)


def test_too_many_items_are_refused_before_anything_is_made() -> None:
    train = SessionStore.from_sequences([[0, 1]])
    with pytest.raises(SettingsError, match=r"50,001 of them; at most 50,000 .*item_knn"):
        EASE().fit(train, numbered_vocabulary(50_001))


def test_progress_is_told() -> None:
    lines: list[str] = []
    train = SessionStore.from_sequences(SEQUENCES)
    EASE().fit(train, numbered_vocabulary(3), progress=lines.append)
    assert any("3 rows" in line for line in lines)


def test_configuration_is_what_was_given() -> None:
    given: dict[str, Any] = {"regularisation": 1.5, "decay": 0.3, "top": 4}
    assert EASE(**given).config() == given


@pytest.mark.parametrize("regularisation", [0.0, -1.0, float("inf"), float("nan")])
def test_impossible_regularisation_is_refused(regularisation: float) -> None:
    with pytest.raises(SettingsError, match=r"regularisation=.*ease"):
        EASE(regularisation)
