from math import sqrt

import pytest

from crossrec_pipeline.models.neighbours.stan import STAN, STANConfig
from crossrec_pipeline_tests.models.neighbours.small_log import (
    HALF_LIFE_OF_ONE,
    fit,
    listed,
    shares,
)

NEVER = 1e9
"""A scale in which nothing is far."""


def stan(place: float = NEVER, age: float = NEVER, distance: float = NEVER) -> STAN:
    return fit(STAN(STANConfig(place_scale=place, age_scale=age, distance_scale=distance)))


def test_without_decay_it_is_sknn() -> None:
    # As in test_sknn: cosines times √2.
    assert listed(stan(), 0, 1) == pytest.approx(
        shares(
            {
                0: 3 / sqrt(3) + 2 / sqrt(2),
                1: 2 / sqrt(3) + 3 / sqrt(2),
                2: 3 / sqrt(3),
                3: 1 / sqrt(2) + 1 / sqrt(3),
            }
        )
    )


def test_items_before_the_last_weigh_less() -> None:
    # Item 1 weighs 1 and item 0 ½: sessions 0 and 2 have both, 1 the former, 3 the latter.
    assert listed(stan(place=HALF_LIFE_OF_ONE), 0, 1) == pytest.approx(
        shares(
            {
                0: 1.5 / sqrt(3) + 1.5 / sqrt(2) + 0.5 / sqrt(3),
                1: 1.5 / sqrt(3) + 1 / sqrt(2) + 1.5 / sqrt(2),
                2: 1.5 / sqrt(3) + 0.5 / sqrt(3),
                3: 1 / sqrt(2) + 0.5 / sqrt(3),
            }
        )
    )


def test_older_sessions_weigh_less() -> None:
    # Half as much for each fourth of train: session 3 weighs 1, 2 ½, 1 ¼, 0 ⅛. Item 3 is in 3, 1.
    assert listed(stan(age=HALF_LIFE_OF_ONE / 4), 3) == pytest.approx(
        shares(
            {
                0: 1 / sqrt(3),
                1: 1 / 4 / sqrt(2),
                2: 1 / sqrt(3),
                3: 1 / sqrt(3) + 1 / 4 / sqrt(2),
            }
        )
    )


def test_items_far_from_the_last_shared_one_weigh_less() -> None:
    # Item 0 is at 0 in session 0 (0, 1, 2), at 0 in 2 (0, 1) and at 1 in 3 (2, 0, 3, 2).
    assert listed(stan(distance=HALF_LIFE_OF_ONE), 0) == pytest.approx(
        shares(
            {
                0: 1 / sqrt(3) + 1 / sqrt(2) + 1 / sqrt(3),
                1: 1 / 2 / sqrt(3) + 1 / 2 / sqrt(2),
                2: 1 / 4 / sqrt(3) + 1 / 4 / sqrt(3),
                3: 1 / 2 / sqrt(3),
            }
        )
    )


def test_distance_is_to_the_last_shared_item_of_the_neighbour() -> None:
    # 1 and then 0 is the session so far; in session 0 (0, 1, 2) item 1 comes last.
    model = stan(distance=HALF_LIFE_OF_ONE)
    fit(model, log=[[0, 1, 2]])
    assert listed(model, 1, 0) == pytest.approx({0: 0.5, 1: 1, 2: 0.5})
