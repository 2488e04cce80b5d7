from math import log, sqrt

import pytest

from crossrec_pipeline.models.neighbours.vstan import VSTAN, VSTANConfig
from crossrec_pipeline_tests.models.neighbours.small_log import (
    HALF_LIFE_OF_ONE,
    fit,
    listed,
    shares,
)


def test_all_decays_and_the_rarity_of_items_are_multiplied() -> None:
    model = VSTAN(
        VSTANConfig(
            place_scale=HALF_LIFE_OF_ONE,
            age_scale=HALF_LIFE_OF_ONE / 4,
            distance_scale=HALF_LIFE_OF_ONE,
            score_scale=HALF_LIFE_OF_ONE,
            idf_weight=2,
        )
    )
    # Session so far 0, 1. Size × age × places × latest shared item:
    votes = [
        1 / sqrt(3) * 1 / 8 * 3 / 2 * 1,
        1 / sqrt(2) * 1 / 4 * 1 * 1,
        1 / sqrt(2) * 1 / 2 * 3 / 2 * 1,
        1 / sqrt(3) * 1 * 1 / 2 * 1 / 2,
    ]
    # Distances to item 1 in sessions 0 to 2, and to item 0 in session 3.
    sums = {
        0: votes[0] / 2 + votes[2] / 2 + votes[3],
        1: votes[0] + votes[1] + votes[2],
        2: votes[0] / 2 + votes[3] / 4,
        3: votes[1] / 2 + votes[3] / 2,
    }
    common, rare = 1 + 2 * log(4 / 3), 1 + 2 * log(4 / 2)
    assert listed(fit(model), 0, 1) == pytest.approx(
        shares({0: common * sums[0], 1: common * sums[1], 2: rare * sums[2], 3: rare * sums[3]})
    )
