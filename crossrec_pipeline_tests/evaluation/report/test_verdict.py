from dataclasses import replace

import polars as pl
import pytest

from crossrec_pipeline.evaluation.report import Findings, build_report
from crossrec_pipeline.evaluation.significance import COMPARISONS
from crossrec_pipeline_tests.evaluation.report.report_inputs import (
    CONTEXT,
    METRICS,
    findings,
    section,
    table,
    value,
)

RECALL = {model: value(model, "recall", 20) for model in ("gru4rec", "markov", "oracle", "chance")}
POINTS = f"{100 * (RECALL['gru4rec'] - RECALL['markov']):.1f} percentage points"


def verdict(findings: Findings | None = None, main_model: str = "gru4rec") -> str:
    context = replace(CONTEXT, main_model=main_model)
    return section(build_report(METRICS, context, findings).markdown, "In short")


def compared(low: float, high: float, significant: bool, **changed: object) -> Findings:
    row = dict.fromkeys(COMPARISONS) | {
        "metric": "recall",
        "k": 20,
        "slice": "overall",
        "model": "gru4rec",
        "other": "markov",
        "difference": (low + high) / 2,
        "low": low,
        "high": high,
        "p_holm": 0.0123,
        "significant": significant,
    }
    frame = pl.DataFrame([row | changed], schema=pl.Schema(COMPARISONS))
    return Findings(comparisons=frame)


def test_the_best_model_and_its_lead_over_the_best_rival_are_said_first():
    said = verdict(compared(0.05, 0.07, True))

    assert said.startswith(
        "**gru4rec ranks best: the true next item is among its first 20 in "
        f"{100 * RECALL['gru4rec']:.1f} % of the predictions, {POINTS} more often than with "
        "markov, its best rival (95 % interval of the difference: 5.0 to 7.0 points)."
    )
    assert "The difference is real" in said
    assert "(p = 0.0123)." in said


def test_the_adjustment_is_named_where_there_are_several_pairs():
    comparisons = compared(0.05, 0.07, True).comparisons
    assert comparisons is not None
    third = comparisons.with_columns(other=pl.lit("popularity"))

    said = verdict(Findings(comparisons=pl.concat([comparisons, third])))
    assert "(p = 0.0123 after the adjustment for all 2 pairs of models)" in said


def test_a_rival_that_is_better_is_named_as_the_best():
    said = verdict(compared(0.05, 0.07, True), main_model="markov")

    assert said.startswith("**gru4rec ranks best")
    assert f"{POINTS} more often than with markov, the main model of this report" in said


def test_a_difference_that_may_be_luck_is_not_called_real():
    said = verdict(compared(-0.01, 0.07, False))

    assert "The difference may be the luck of which sessions are in test" in said
    assert "(95 % interval of the difference: −1.0 to 7.0 points)" in said
    assert "is real" not in said


def test_what_was_not_tested_is_not_called_real():
    assert "Whether the difference is real was not tested." in verdict()


@pytest.mark.parametrize(
    ("low", "high", "significant", "words"),
    [
        (0.01, 0.03, True, "gru4rec is ahead of markov for Music"),
        (-0.03, -0.01, True, "gru4rec is behind markov for Music"),
        (-0.01, 0.03, False, "the two cannot be told apart for Music"),
    ],
)
def test_types_where_the_lead_holds_or_does_not(
    low: float, high: float, significant: bool, words: str
):
    found = compared(low, high, significant, slice="target_type", target_type="Music")

    assert f"By the type of the next item, {words}." in verdict(found)


def test_hits_are_compared_with_those_of_chance_and_with_the_oracle():
    said = verdict()

    times, share = RECALL["gru4rec"] / RECALL["chance"], RECALL["gru4rec"] / RECALL["oracle"]
    assert f"The hits of gru4rec are {times:.1f} times those of chance." in said
    assert f"It reaches {100 * share:.1f} % of the oracle" in said


def test_without_an_oracle_no_share_is_claimed():
    report = build_report(METRICS.filter(pl.col("model") != "oracle"), CONTEXT)

    assert "oracle" not in report.markdown.lower()


def test_a_simulated_log_is_said_to_tell_nothing_about_people():
    assert "nothing about how people behave" in verdict()
    without_oracle = build_report(METRICS.filter(pl.col("model") != "oracle"), CONTEXT)
    assert "how people behave" not in without_oracle.markdown


def test_the_main_model_and_its_rival_stand_first_in_the_summary():
    report = build_report(METRICS, CONTEXT, findings())

    rows = table(report.markdown, "The main model, and what to read it by")[1:]
    assert [row[:2] for row in rows] == [
        ["gru4rec", "main model"],
        ["markov", "best rival"],
        ["chance", "a random order"],
        ["oracle", "the best that is possible"],
    ]
    assert rows[0][2] == f"{RECALL['gru4rec']:.3f}"
