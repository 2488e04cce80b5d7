"""Rankings for property tests: ranks as ties against the model produce them."""

import numpy as np
from hypothesis import strategies as st

from crossrec_pipeline.evaluation.metrics import Relevant

N_ITEMS = 12


def relevant_of(*predictions: list[int]) -> Relevant:
    """Write out the relevant items' ranks of each prediction."""
    lengths = [len(ranks) for ranks in predictions]
    flat = [rank for ranks in predictions for rank in ranks]
    return Relevant(np.array(flat, dtype=np.int32), np.cumsum([0, *lengths]))


@st.composite
def _one_ranking(draw: st.DrawFn, max_relevant: int) -> list[int]:
    scores = draw(st.lists(st.integers(0, 9), min_size=N_ITEMS, max_size=N_ITEMS))
    items = draw(st.sets(st.integers(0, N_ITEMS - 1), min_size=1, max_size=max_relevant))
    return [sum(other >= scores[item] for other in scores) for item in sorted(items)]


def rankings(max_relevant: int = N_ITEMS) -> st.SearchStrategy[Relevant]:
    """One to five predictions over twelve items, with ties."""
    several = st.lists(_one_ranking(max_relevant), min_size=1, max_size=5)
    return several.map(lambda predictions: relevant_of(*predictions))


cutoffs = st.integers(1, N_ITEMS + 3)
