import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.evaluation.popularity_shares import (
    POPULARITY_SHARES,
    TARGETS,
    popularity_shares,
)
from crossrec_pipeline.evaluation.top_lists import TopLists
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of

VOCABULARY = vocabulary_of(["Movie"] * 20)  # item i has support 100 - i: two items a decile


def lists(*items: list[int]) -> TopLists:
    return TopLists(np.arange(len(items)), np.array(items, dtype=np.int32))


def shares(frame_of: dict[str, TopLists], targets: list[int]) -> dict[str, list[float | None]]:
    frame = popularity_shares(frame_of, np.array(targets, dtype=np.int64), VOCABULARY)
    assert dict(frame.schema) == POPULARITY_SHARES
    return {
        str(model): of.sort("decile")["share"].to_list()
        for (model,), of in frame.group_by("model", maintain_order=True)
    }


def test_the_most_popular_items_are_in_the_tenth_decile():
    found = shares({"a": lists([0, 1], [0, 19])}, [19, 19, 18, 0])

    # Shown are 0, 1, 0 (decile 10) and 19 (decile 1); 3 of 4 targets are in decile 1.
    assert found["a"] == [0.25, *[0.0] * 8, 0.75]
    assert found[TARGETS] == [0.75, *[0.0] * 8, 0.25]


def test_what_came_next_stands_first_and_models_in_the_order_given():
    assert list(shares({"b": lists([0]), "a": lists([1])}, [0])) == [TARGETS, "b", "a"]


def test_without_lists_shares_are_null_not_zero():
    assert shares({"a": lists()}, [0])["a"] == [None] * 10


@given(st.lists(st.integers(0, 19), min_size=1, max_size=30))
def test_shares_are_those_of_counting_by_hand(items: list[int]):
    found = shares({}, items)[TARGETS]

    # The two items of decile d are 20 - 2d and 21 - 2d.
    expected = [sum(i in (20 - 2 * d, 21 - 2 * d) for i in items) for d in range(1, 11)]
    assert found == pytest.approx([count / len(items) for count in expected])
