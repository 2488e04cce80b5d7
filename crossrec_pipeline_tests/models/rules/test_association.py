from typing import Any

import pytest

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.rules.association import AssociationRules
from crossrec_pipeline_tests.models.rules.fitting import best, fitted, listed

# Events 0: 4, 1: 2, 2: 2, 3: 1.
SEQUENCES = [[0, 1, 0], [2, 0], [1, 3, 0], [2]]


def plain() -> AssociationRules:
    return fitted(AssociationRules(given_exponent=0, scored_exponent=0, decay=0), SEQUENCES, 5)


def test_pairs_of_a_session_count_in_either_order() -> None:
    # 0 meets 1 twice in the first session and once in the third, itself twice, 2 and 3 once.
    assert listed(plain(), 0) == pytest.approx({0: 2, 1: 3, 2: 1, 3: 1})


def test_counts_rank_first_then_popularity() -> None:
    assert best(plain(), 0) == [1, 0, 2, 3, 4]


def test_item_without_pairs_falls_back_on_popularity() -> None:
    assert listed(plain(), 4) == {}
    assert best(plain(), 4) == [0, 1, 2, 3, 4]


def test_exponents_divide_by_the_events_of_both_items() -> None:
    model = fitted(AssociationRules(given_exponent=0.5, scored_exponent=1, decay=0), SEQUENCES, 5)
    # √4 = 2 for item 0 as the given one; 4, 2, 2, 1 for the scored ones.
    assert listed(model, 0) == pytest.approx({0: 2 / 8, 1: 3 / 4, 2: 1 / 4, 3: 1 / 2})


def test_earlier_items_count_with_decay() -> None:
    model = fitted(AssociationRules(given_exponent=0, scored_exponent=0, decay=0.5), SEQUENCES, 5)
    # 2 met 0 once; 3 met 1 and 0 once each, and was one place before.
    assert listed(model, 3, 2) == pytest.approx({0: 1 + 0.5, 1: 0.5})


def test_rules_of_a_row_are_cut_to_the_best() -> None:
    assert set(listed(fitted(AssociationRules(decay=0, top=1), SEQUENCES, 5), 0)) == {1}


def test_configuration_is_what_was_given() -> None:
    given: dict[str, Any] = {"given_exponent": 0.1, "scored_exponent": 0.2, "decay": 0.3, "top": 4}
    assert AssociationRules(**given).config() == given


@pytest.mark.parametrize("option", ["given_exponent", "scored_exponent"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_exponent_out_of_range_is_refused(option: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"{option}=.*association_rules.*from 0 to 1"):
        AssociationRules(**{option: value})
