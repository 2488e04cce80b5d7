import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.evaluation.measures import (
    BOUNDED,
    HEADLINE,
    Measure,
    all_measures,
    bounded_measures,
    chance_measures,
    headline_measures,
)
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of
from crossrec_pipeline_tests.evaluation.rank_frames import ranks_of

RANKS = ranks_of(
    (0, 1, "Movie", "Movie", 3, 2, [3, 30]),
    (0, 2, "Movie", "Music", 30, 18, [30]),
)
ALL = {(m.relevance, m.metric, m.k): m.values for m in all_measures(RANKS)}


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (("next", "recall", 20), [1, 0]),
        (("next", "recall", 100), [1, 1]),
        (("next", "map", 5), [1 / 3, 0]),
        (("rest", "recall", 10), [1 / 2, 0]),
        (("rest", "map", 20), [1 / 3 / 2, 0]),
        (("next", "recall_within_type", 20), [1, 1]),
    ],
)
def test_values_by_hand(measure: tuple[str, str, int], expected: list[float]):
    assert ALL[measure].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("made", "named"), [(headline_measures, HEADLINE), (bounded_measures, BOUNDED)]
)
def test_named_measures_are_those_of_the_next_item(made, named: tuple[tuple[str, int], ...]):
    found: list[Measure] = list(made(RANKS))

    assert [(m.relevance, m.metric, m.k) for m in found] == [("next", *name) for name in named]
    for measure in found:
        np.testing.assert_array_equal(measure.values, ALL["next", measure.metric, measure.k])


def test_chance_has_the_same_measures():
    vocabulary = vocabulary_of(["Movie"] * 10 + ["Music"] * 30)
    ranks = RANKS.with_columns(target_index=pl.Series([0, 20], dtype=pl.Int32))

    found = {(m.relevance, m.metric, m.k): m.values for m in chance_measures(ranks, vocabulary)}

    assert list(found) == list(ALL)
    assert found["next", "recall", 10].tolist() == pytest.approx([10 / 40, 10 / 40])
    assert found["next", "recall_within_type", 10].tolist() == pytest.approx([10 / 10, 10 / 30])


def test_no_predictions_give_no_values():
    assert {len(measure.values) for measure in all_measures(RANKS.clear())} == {0}
