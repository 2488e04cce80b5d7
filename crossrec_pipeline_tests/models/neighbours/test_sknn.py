from math import sqrt

import pytest

from crossrec_pipeline.models.neighbours.sknn import SKNN, SKNNConfig
from crossrec_pipeline_tests.models.neighbours.small_log import fit, listed, shares


def test_scores_are_sums_of_cosines() -> None:
    # Session so far {0, 1}; cosines times √2: session 0 2/√3, 1 1/√2, 2 2/√2, 3 1/√3.
    assert listed(fit(SKNN()), 0, 1) == pytest.approx(
        shares(
            {
                0: 2 / sqrt(3) + 2 / sqrt(2) + 1 / sqrt(3),
                1: 2 / sqrt(3) + 1 / sqrt(2) + 2 / sqrt(2),
                2: 2 / sqrt(3) + 1 / sqrt(3),
                3: 1 / sqrt(2) + 1 / sqrt(3),
            }
        )
    )


def test_order_and_repeats_in_the_session_do_not_matter() -> None:
    model = fit(SKNN())
    assert listed(model, 1, 0, 0, 1) == pytest.approx(listed(model, 0, 1))


def test_only_the_nearest_sessions_vote() -> None:
    # The nearest is session 2 with 2/√2; then session 0 with 2/√3.
    assert listed(fit(SKNN(SKNNConfig(k=1))), 0, 1) == {0: 1, 1: 1}
    assert listed(fit(SKNN(SKNNConfig(k=2))), 0, 1) == pytest.approx(
        shares({0: 2 / sqrt(2) + 2 / sqrt(3), 1: 2 / sqrt(2) + 2 / sqrt(3), 2: 2 / sqrt(3)})
    )


def test_neighbours_are_sought_among_the_most_recent_sessions() -> None:
    # Of item 1's sessions 2, 1 and 0 the last two are too old for a sample of one.
    assert listed(fit(SKNN(SKNNConfig(sample=1))), 1) == {0: 1, 1: 1}
