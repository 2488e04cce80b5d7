"""Recommended lists for property tests: distinct items in each."""

import numpy as np
from hypothesis import strategies as st

N_ITEMS = 9
NO_LISTS = np.zeros((0, 3), dtype=np.int32)


@st.composite
def lists(draw: st.DrawFn, min_length: int = 1) -> np.ndarray:
    """One to six lists of equal length over nine items."""
    k = draw(st.integers(min_length, N_ITEMS))
    orders = draw(st.lists(st.permutations(range(N_ITEMS)), min_size=1, max_size=6))
    return np.array([order[:k] for order in orders], dtype=np.int32)


supports = st.lists(st.integers(1, 6), min_size=N_ITEMS, max_size=N_ITEMS).map(np.array)
