"""Our metrics beside those of ranx, on random rankings without ties."""

import numpy as np
import pytest

from crossrec_pipeline.evaluation.metrics import METRICS, Relevant

# Compiling its functions takes half a minute; interpreted they take no second.
with pytest.MonkeyPatch.context() as patch:
    patch.setattr("numba.config.DISABLE_JIT", True)
    metric_switch = pytest.importorskip("ranx.metrics").metric_switch

N_PREDICTIONS = 60
N_ITEMS = 40
RNG = np.random.default_rng(11)
ORDERS = RNG.permuted(np.tile(np.arange(N_ITEMS), (N_PREDICTIONS, 1)), axis=1)
"""Items from the best to the worst, [P, n_items]."""
RELEVANT = [RNG.choice(N_ITEMS, RNG.integers(1, 9), replace=False) for _ in ORDERS]
TRUTH = np.empty(N_PREDICTIONS, dtype=object)
"""Of each prediction, items and their relevance, [n_relevant, 2]."""
TRUTH[:] = [np.column_stack([items, np.ones(len(items))]) for items in RELEVANT]
RUN = np.stack([ORDERS, np.broadcast_to(np.arange(N_ITEMS, 0, -1), ORDERS.shape)], axis=-1)
"""Items from the best to the worst and their scores, [P, n_items, 2]."""


def ranks() -> Relevant:
    found = [np.argsort(order)[items] + 1 for order, items in zip(ORDERS, RELEVANT, strict=True)]
    return Relevant(np.concatenate(found), np.cumsum([0, *(len(items) for items in found)]))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 3, 10, 40])
def test_every_prediction_has_the_value_of_ranx(metric: str, k: int):
    theirs = metric_switch(metric)(TRUTH, RUN, k, 1)

    found = METRICS[metric](ranks(), k)

    if metric == "map":
        # Theirs is divided by the number of relevant items, even where K leaves no room for them.
        n_relevant = np.array([len(items) for items in RELEVANT])
        found = found * np.minimum(n_relevant, k) / n_relevant
    np.testing.assert_allclose(found, theirs)
