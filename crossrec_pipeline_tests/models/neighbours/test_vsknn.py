from math import log, log10

import numpy as np
import pytest

from crossrec_pipeline.models.neighbours.vsknn import VSKNN, Decay, VSKNNConfig
from crossrec_pipeline_tests.models.neighbours.small_log import fit, listed, shares

# Session so far 0, 1: item 1 weighs 2/2, item 0 1/2. Similarities: session 0 1.5, 1 1, 2 1.5,
# 3 0.5. Sessions 0 to 2 share the last item; session 3 the one before, so its vote is halved.
SUMS = {0: 1.5 + 1.5 + 0.25, 1: 1.5 + 1 + 1.5, 2: 1.5 + 0.25, 3: 1 + 0.25}


def test_later_events_weigh_more() -> None:
    model = fit(VSKNN(VSKNNConfig(similarity_decay="linear", idf_weight=0)))
    assert listed(model, 0, 1) == pytest.approx(shares(SUMS))


def test_rare_items_are_preferred_by_the_logarithm_of_their_frequency() -> None:
    common, rare = 1 + 2 * log(4 / 3), 1 + 2 * log(4 / 2)
    assert listed(
        fit(VSKNN(VSKNNConfig(similarity_decay="linear", idf_weight=2))), 0, 1
    ) == pytest.approx(
        shares({0: common * SUMS[0], 1: common * SUMS[1], 2: rare * SUMS[2], 3: rare * SUMS[3]})
    )


def test_repeated_item_weighs_what_its_last_event_does() -> None:
    # 1, 0, 1: item 1 has 3/3 and item 0 2/3, of which sessions 0 and 2 have both, 1 and 3 one.
    model = fit(VSKNN(VSKNNConfig(similarity_decay="linear", idf_weight=0)))
    both, last, before = 5 / 3, 3 / 3, 2 / 3 / 2
    assert listed(model, 1, 0, 1) == pytest.approx(
        shares({0: 2 * both + before, 1: 2 * both + last, 2: both + before, 3: last + before})
    )


@pytest.mark.parametrize(
    ("decay", "weights"),
    [
        ("linear", [1, 3 / 4, 1 / 2, 1 / 4]),
        ("quadratic", [1, 9 / 16, 1 / 4, 1 / 16]),
        ("inverse", [1, 1 / 2, 1 / 3, 1 / 4]),
        ("logarithmic", [1 / log10(2.7), 1 / log10(3.7), 1 / log10(4.7), 1 / log10(5.7)]),
    ],
)
def test_decays_of_a_session_of_four_events(decay: Decay, weights: list[float]) -> None:
    place, length = np.arange(1, 5), np.full(4, 4)
    of_similarity = VSKNN(VSKNNConfig(similarity_decay=decay)).event_weights(place, length)
    of_score = VSKNN(VSKNNConfig(score_decay=decay)).event_weights(place, length)
    assert of_similarity.similarity.tolist() == pytest.approx(weights)
    assert of_score.score.tolist() == pytest.approx(weights)
