import re

import polars as pl

from crossrec_pipeline.evaluation.report import build_report, headline_table
from crossrec_pipeline_tests.evaluation.report.report_inputs import (
    CONTEXT,
    METRICS,
    section,
    table,
    value,
)

REPORT = build_report(METRICS, CONTEXT)


def test_all_models_the_best_first_with_intervals_and_the_macro_average():
    header, *rows = table(REPORT.markdown, "Next item, all types")

    interval = "95 % interval"
    assert header == [
        "Model", "Recall@20", interval, "MRR@20", interval, "NDCG@20", interval, "Recall@20 macro",
    ]  # fmt: skip
    assert [row[0] for row in rows] == ["oracle", "gru4rec", "markov", "chance"]
    shown = [rows[1][column] for column in (1, 3, 5)]
    assert shown == [f"{value('gru4rec', metric, 20):.3f}" for metric in ("recall", "mrr", "ndcg")]
    assert rows[1][7] == f"{value('gru4rec', 'recall', 20, slice='macro'):.3f}"
    assert all(re.fullmatch(r"0\.\d{3} to 0\.\d{3}", rows[1][column]) for column in (2, 4, 6))
    assert rows[3][2] == "–"  # chance is exact


def test_the_best_figure_of_a_trained_model_is_marked_and_no_other():
    lines = section(REPORT.markdown, "All models").splitlines()

    recall = f"{value('gru4rec', 'recall', 20):.3f}"
    assert f"| gru4rec | **{recall}** |" in "\n".join(lines)
    assert f"<strong>{recall}</strong>" in REPORT.html
    assert not any("**" in line for line in lines if line.startswith(("| oracle", "| markov")))


def test_share_of_the_oracle():
    rows = {row[0]: row for row in table(REPORT.markdown, "Share of the oracle reached")[1:]}

    share = value("gru4rec", "recall", 20) / value("oracle", "recall", 20)
    assert rows["gru4rec"][1] == f"{100 * share:.1f} %"
    assert set(rows) == {"gru4rec", "markov"}


def test_every_known_model_is_explained():
    explained = table(REPORT.markdown, "What each model goes by")[1:]

    assert [row[0] for row in explained] == ["oracle", "gru4rec", "markov", "chance"]
    unknown = METRICS.with_columns(pl.col("model").str.replace("markov", "bert4rec"))
    rows = table(build_report(unknown, CONTEXT).markdown, "What each model goes by")[1:]
    assert [row[0] for row in rows] == ["oracle", "gru4rec", "chance"]


def test_it_is_said_how_much_of_test_was_left_out():
    words = section(REPORT.markdown, "All models")

    assert "34 events of test are left out" in words
    assert "300 are left" in words


def test_small_values_of_chance_are_not_shown_as_zero():
    small = METRICS.with_columns(pl.col("value") / 1000)

    rows = table(build_report(small, CONTEXT).markdown, "Next item, all types")
    assert rows[-1][:2] == ["chance", "0.00022"]  # 20 of 90 items, divided by 1000


def test_the_terminal_table_is_aligned_and_has_intervals():
    lines = headline_table(METRICS).splitlines()

    assert lines[0].startswith("Model")
    assert lines[0].count("95 % interval") == 3
    assert [line.split()[0] for line in lines[2:]] == ["chance", "markov", "gru4rec", "oracle"]
    assert f"{value('gru4rec', 'recall', 20):.3f}" in lines[4]
    assert len({len(line) for line in lines}) == 1
