import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.report.blocks import Command, Fold, Table
from crossrec_pipeline.evaluation.report.controls import control_section
from crossrec_pipeline_tests.evaluation.report.report_inputs import control, controls_of


def rows(*controls: dict[str, object]) -> list[list[str]]:
    """Return the cells of the overall table."""
    tables = [block for block in control_section(controls_of(*controls)).blocks
              if isinstance(block, Table)]  # fmt: skip
    return [list(row) for row in tables[-1].rows]


def test_without_controls_it_is_said_how_to_make_them():
    blocks = control_section(None).blocks

    assert Command("crossrec run --controls") in blocks


@pytest.mark.parametrize(
    ("name", "low", "high", "reads"),
    [
        ("uniform_log", -0.01, 0.01, "at chance, as it must be"),
        ("uniform_log", 0.01, 0.02, "not at chance: measured wrongly"),
        ("uniform_log", -0.02, -0.01, "not at chance: measured wrongly"),
        ("shuffled_order", -0.2, -0.1, "lower"),
        ("single_domain", 0.1, 0.2, "higher"),
        ("other_seed", -0.01, 0.01, "no clear difference"),
    ],
)
def test_each_control_is_read_by_its_interval(name: str, low: float, high: float, reads: str):
    assert rows(control(name, low, high))[0][:2] == [name, reads]


def test_without_an_interval_nothing_is_read():
    assert rows(control("other_seed", 0.1, 0.2) | {"low": None, "high": None})[0][1] == "not known"


def test_a_control_is_shown_beside_what_it_is_compared_with():
    assert rows(control("last_item_only", -0.15, -0.05))[0][2:] == [
        "Recall@20",
        "0.300",
        "gru4rec 0.400",
        "−0.100",  # half way from -0.15 to -0.05
        "−0.150 to −0.050",
        "240",
    ]


def test_controls_stand_in_the_order_they_are_explained_in():
    given = rows(
        control("other_seed", 0, 1),
        control("a new one", 0, 1),
        control("uniform_log", 0, 1, metric="mrr"),
        control("uniform_log", 0, 1),
    )

    assert [(row[0], row[2]) for row in given] == [
        ("uniform_log", "Recall@20"),
        ("uniform_log", "MRR@20"),
        ("other_seed", "Recall@20"),
        ("a new one", "Recall@20"),
    ]


def test_types_are_folded_away():
    section = control_section(
        controls_of(
            control("single_domain", 0, 1), control("single_domain", 0, 1, target_type="Book")
        )
    )

    (fold,) = (block for block in section.blocks if isinstance(block, Fold))
    assert fold.tables[0].rows[0][0] == "single_domain, Book"


def test_a_missing_column_is_named():
    with pytest.raises(EvaluationError, match=r"lack low; found .*--controls"):
        control_section(controls_of(control("other_seed", 0, 1)).drop("low"))
