from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.rules.sequential import SequentialRules
from crossrec_pipeline_tests.models.rules.fitting import best, fitted, listed

PAPER: dict[str, Any] = {"backward": 0, "given_exponent": 0, "decay": 0}
SEQUENCES = [[0, 1, 2, 0], [0, 2], [3, 0]]


def test_what_came_sooner_weighs_more() -> None:
    # After 0: 1 at once; 2 after two steps (1 / 2) and at once; itself after three (1 / 3).
    model = fitted(SequentialRules(**PAPER), SEQUENCES, 5)
    assert listed(model, 0) == pytest.approx({1: 1, 2: 1.5, 0: 1 / 3})
    assert best(model, 0) == [2, 1, 0, 3, 4]


def test_linear_weights_fall_by_equal_parts() -> None:
    # Of four steps: 1, 3 / 4, 2 / 4, 1 / 4.
    model = fitted(SequentialRules(steps=4, weighting="linear", **PAPER), SEQUENCES, 5)
    assert listed(model, 0) == pytest.approx({1: 1, 2: 1 + 3 / 4, 0: 2 / 4})


def test_what_is_further_away_than_the_steps_counts_nothing() -> None:
    model = fitted(SequentialRules(steps=1, **PAPER), SEQUENCES, 5)
    assert listed(model, 0) == pytest.approx({1: 1, 2: 1})


def test_what_came_before_counts_its_share() -> None:
    model = fitted(SequentialRules(steps=1, **{**PAPER, "backward": 0.25}), SEQUENCES, 5)
    # Before 0 came 2 and 3, once each.
    assert listed(model, 0) == pytest.approx({1: 1, 2: 1 + 0.25, 3: 0.25})


def test_earlier_items_count_with_decay_and_less_where_they_have_many_events() -> None:
    model = fitted(
        SequentialRules(steps=1, backward=0, given_exponent=0.5, decay=0.5), SEQUENCES, 5
    )
    # 0 has four events: its 1 for each of 1 and 2 is halved, and halved again by its place. After
    # 1, of one event, came 2.
    assert listed(model, 0, 1) == pytest.approx({1: 0.25, 2: 0.25 + 1})


@given(
    sequences=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), min_size=1, max_size=9),
    steps=st.integers(1, 4),
)
def test_scores_are_those_of_counting_by_hand(sequences: list[list[int]], steps: int) -> None:
    model = fitted(SequentialRules(steps=steps, **PAPER), sequences, 6)
    for last in range(6):
        wanted = dict.fromkeys(range(6), 0.0)
        for sequence in sequences:
            for (x, here), (y, there) in combinations(enumerate(sequence), 2):
                if here == last and y - x <= steps:
                    wanted[there] += 1 / (y - x)
        above_zero = {item: score for item, score in wanted.items() if score}
        assert listed(model, last) == pytest.approx(above_zero)


def test_configuration_is_what_was_given() -> None:
    given: dict[str, Any] = {
        "steps": 3,
        "weighting": "linear",
        "backward": 0.1,
        "given_exponent": 0.2,
        "decay": 0.3,
        "top": 4,
    }
    assert SequentialRules(**given).config() == given


@pytest.mark.parametrize(
    ("option", "value"),
    [("steps", 0), ("weighting", "cubic"), ("backward", 1.5), ("given_exponent", -1)],
)
def test_impossible_option_is_refused(option: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"{option}=.*sequential_rules"):
        SequentialRules(**{option: value})
