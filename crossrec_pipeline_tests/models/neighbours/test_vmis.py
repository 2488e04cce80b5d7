from math import log

import pytest

from crossrec_pipeline.models.neighbours.vmis import VMIS, VMISConfig
from crossrec_pipeline_tests.models.neighbours.small_log import fit, listed, shares


def test_votes_fall_by_a_tenth_a_place_and_rare_items_are_preferred() -> None:
    # Session so far 0, 1: similarities as in V-SKNN 1.5, 1, 1.5 and 0.5, the first three times 0.9
    # for sharing the last item, the fourth times 0.8.
    votes = [1.5 * 0.9, 1 * 0.9, 1.5 * 0.9, 0.5 * 0.8]
    assert listed(fit(VMIS()), 0, 1) == pytest.approx(
        shares(
            {
                0: log(4 / 3) * (votes[0] + votes[2] + votes[3]),
                1: log(4 / 3) * (votes[0] + votes[1] + votes[2]),
                2: log(4 / 2) * (votes[0] + votes[3]),
                3: log(4 / 2) * (votes[1] + votes[3]),
            }
        )
    )


def test_neighbour_that_shares_none_of_the_last_nine_events_does_not_vote() -> None:
    model = fit(VMIS())
    assert set(listed(model, 3, *[4] * 8)) == {0, 1, 2, 3}
    assert listed(model, 3, *[4] * 9) == {}


def test_item_of_every_session_comes_last_of_the_list() -> None:
    # ln(2 / 2) leaves item 0 no score; it was named nevertheless.
    scores = listed(fit(VMIS(), log=[[0, 1], [0, 2]]), 0)
    assert 0 < scores[0] < 1e-30
    assert scores[1] == scores[2] == 1


def test_each_item_brings_its_most_recent_sessions_only() -> None:
    # The two most recent sessions that hold 0 or 1 are 3 and 2; of 1 alone, 2 and 1.
    model = fit(VMIS(VMISConfig(sample=2)))
    assert set(listed(model, 1, 0)) == {0, 1, 2, 3}
    assert set(listed(model, 1)) == {0, 1, 3}
