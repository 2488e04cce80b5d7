import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.evaluation.metrics import METRICS, Relevant
from crossrec_pipeline.evaluation.ranking import RANKS
from crossrec_pipeline_tests.evaluation.metrics.rankings import relevant_of

RANKS_FRAME = pl.DataFrame(
    {"rank": [3, 7], "rank_within_type": [1, 2], "rest_ranks": [[3, 9, 1], [7]]},
    schema={name: RANKS[name] for name in ("rank", "rank_within_type", "rest_ranks")},
)


def test_next_item_is_one_relevant_item_a_prediction():
    relevant = Relevant.next_item(RANKS_FRAME)

    assert relevant.ranks.tolist() == [3, 7]
    assert relevant.n_relevant.tolist() == [1, 1]


def test_next_item_can_be_taken_within_its_type():
    assert Relevant.next_item(RANKS_FRAME, "rank_within_type").ranks.tolist() == [1, 2]


def test_rest_of_session_takes_every_rank():
    relevant = Relevant.rest_of_session(RANKS_FRAME)

    assert relevant.ranks.tolist() == [3, 9, 1, 7]
    assert relevant.n_relevant.tolist() == [3, 1]
    assert relevant.first_rank.tolist() == [1, 7]


def test_hits_are_counted_by_prediction():
    assert relevant_of([3, 9, 1], [7], [2, 2]).hits(3).tolist() == [2, 0, 2]


def test_a_frame_without_rows_has_no_predictions():
    empty = RANKS_FRAME.clear()

    assert Relevant.next_item(empty).n_predictions == 0
    assert Relevant.rest_of_session(empty).n_predictions == 0


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_gives_no_values_for_no_predictions(metric: str):
    assert METRICS[metric](Relevant.rest_of_session(RANKS_FRAME.clear()), 10).shape == (0,)


@pytest.mark.parametrize(
    ("ranks", "offsets", "message"),
    [
        ([1, 2], [0, 1], "offsets"),
        ([1, 2], [0, 0, 2], "at least one relevant"),
        ([0, 2], [0, 1, 2], "start at 1"),
    ],
)
def test_impossible_input_is_refused(ranks: list[int], offsets: list[int], message: str):
    with pytest.raises(ValueError, match=message):
        Relevant(np.array(ranks), np.array(offsets))
