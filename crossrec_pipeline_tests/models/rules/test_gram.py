import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.models.rules.gram import session_gram
from crossrec_pipeline.sessions.store import SessionStore


def test_sessions_that_have_both_items_are_counted_once_each() -> None:
    gram = session_gram(SessionStore.from_sequences([[1, 0, 1], [0, 1], [2]]), 3)
    assert gram.tolist() == [[2, 0, 0], [2, 2, 0], [0, 0, 1]]


def test_no_sessions_count_nothing() -> None:
    assert not session_gram(SessionStore.from_sequences([]), 2).any()


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=8), min_size=1, max_size=9))
def test_counts_are_those_of_the_matrix_product(sequences: list[list[int]]) -> None:
    X = np.array([[item in sequence for item in range(5)] for sequence in sequences], dtype=int)
    gram = session_gram(SessionStore.from_sequences(sequences), 5)
    assert gram.flags.f_contiguous
    assert np.array_equal(gram, np.tril(X.T @ X))
