import pytest

from crossrec_pipeline.evaluation.report.differences import Differences
from crossrec_pipeline_tests.evaluation.report.report_inputs import findings

COMPARISONS = findings().comparisons


def test_a_difference_is_the_same_from_either_side_but_for_its_sign():
    assert COMPARISONS is not None
    differences = Differences.read(COMPARISONS)

    ahead = differences.between("gru4rec", "markov", "mrr")
    behind = differences.between("markov", "gru4rec", "mrr")
    assert ahead is not None
    assert behind is not None
    assert ahead.low is not None
    assert (behind.value, behind.high) == (-ahead.value, -ahead.low)
    assert (behind.p_holm, behind.significant) == (ahead.p_holm, ahead.significant)
    assert behind.reversed() == ahead


@pytest.mark.parametrize("pair", [("gru4rec", "oracle"), ("gru4rec", "gru4rec")])
def test_models_that_were_not_compared_have_none(pair: tuple[str, str]):
    assert COMPARISONS is not None

    assert Differences.read(COMPARISONS).between(*pair) is None


def test_each_pair_is_counted_once():
    assert COMPARISONS is not None

    assert Differences.read(COMPARISONS).n_pairs == 1
    assert Differences.read(COMPARISONS.clear()).n_pairs == 0
