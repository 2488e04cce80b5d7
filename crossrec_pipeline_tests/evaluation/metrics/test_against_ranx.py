"""Our metrics beside those of ranx, on random rankings without ties."""

import numpy as np
import pytest

from crossrec_pipeline.evaluation.metrics import METRICS, Relevant

ranx = pytest.importorskip("ranx")

N_PREDICTIONS = 60
N_ITEMS = 40
RNG = np.random.default_rng(11)
ORDERS = RNG.permuted(np.tile(np.arange(N_ITEMS), (N_PREDICTIONS, 1)), axis=1)
"""Items from the best to the worst, [P, n_items]."""
RELEVANT = [RNG.choice(N_ITEMS, RNG.integers(1, 9), replace=False) for _ in ORDERS]


def ranks() -> Relevant:
    found = [np.argsort(order)[items] + 1 for order, items in zip(ORDERS, RELEVANT, strict=True)]
    return Relevant(np.concatenate(found), np.cumsum([0, *(len(items) for items in found)]))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 3, 10, 40])
def test_every_prediction_has_the_value_of_ranx(metric: str, k: int):
    truth = ranx.Qrels({str(p): {str(i): 1 for i in items} for p, items in enumerate(RELEVANT)})
    run = ranx.Run(
        {
            str(p): {str(item): float(N_ITEMS - place) for place, item in enumerate(order)}
            for p, order in enumerate(ORDERS)
        }
    )
    theirs = ranx.evaluate(truth, run, f"{metric}@{k}", return_mean=False, make_comparable=False)
    expected = dict(zip(run.keys(), theirs, strict=True))

    found = METRICS[metric](ranks(), k)

    if metric == "map":
        # Theirs is divided by the number of relevant items, even where K leaves no room for them.
        n_relevant = np.array([len(items) for items in RELEVANT])
        found = found * np.minimum(n_relevant, k) / n_relevant
    np.testing.assert_allclose(found, [expected[str(p)] for p in range(N_PREDICTIONS)])
