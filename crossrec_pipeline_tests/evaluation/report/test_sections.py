from dataclasses import replace

import polars as pl
import pytest

from crossrec_pipeline.evaluation.report import LeakVerdict, build_report
from crossrec_pipeline_tests.evaluation.report.report_inputs import (
    CONTEXT,
    METRICS,
    findings,
    section,
    table,
    value,
)
from crossrec_pipeline_tests.evaluation.sliced_metrics import HISTORY, contextual_metrics

ALL = pl.concat([METRICS, contextual_metrics()])
REPORT = build_report(ALL, CONTEXT, findings())


@pytest.mark.parametrize(
    ("caption", "relevance"),
    [
        ("Next item: the one that came next is relevant", "next"),
        ("Rest of the session: all distinct items still to come are relevant", "rest"),
    ],
)
def test_all_metrics_at_all_cutoffs(caption: str, relevance: str):
    header, *rows = table(REPORT.markdown, caption)

    assert header == ["Model", "K", "Precision", "Recall", "F1", "MRR", "NDCG", "MAP"]
    assert len(rows) == 4 * 3
    first = rows[2]
    assert first[:2] == ["oracle", "20"]
    assert first[4] == f"{value('oracle', 'f1', 20, relevance=relevance):.3f}"


def test_the_limit_of_precision_is_said():
    assert "Precision@K cannot exceed 1/K" in REPORT.markdown
    assert "Precision@K cannot exceed 1/K" in REPORT.html


def test_models_by_type_with_counts():
    header, *rows = table(REPORT.markdown, "Recall@20 among all items")

    n = METRICS.filter(slice="target_type", model="markov", metric="recall", k=20, relevance="next")
    counts = dict(n.select("target_type", "n").iter_rows())
    assert header == ["Model", *(f"{type_} (n {counts[type_]:,})" for type_ in sorted(counts))]
    by_model = {row[0]: row for row in rows}
    music = {"slice": "target_type", "target_type": "Music"}
    assert by_model["markov"][3] == f"{value('markov', 'recall', 20, **music):.3f}"
    within = {row[0]: row for row in table(REPORT.markdown, "Recall@20 among its type")}
    assert within["markov"][3] == f"{value('markov', 'recall_within_type', 20, **music):.3f}"


def test_transitions_of_the_main_model_with_counts_and_a_dash_for_none():
    header, *rows = table(REPORT.markdown, "Recall@20 of gru4rec by transition (n)")

    assert header == ["From, to", "Book", "Movie", "Music"]
    found = value(
        "gru4rec", "recall", 20, slice="transition", source_type="Movie", target_type="Music"
    )
    assert rows[1] == ["Movie", "– (0)", rows[1][2], f"{found:.3f} (60)"]


def test_a_second_heat_map_shows_the_difference_to_the_rival():
    assert "gru4rec minus markov by transition" in REPORT.html
    alone = METRICS.filter(pl.col("model") == "gru4rec")
    assert "by transition" in build_report(alone, CONTEXT).html
    assert " minus " not in build_report(alone, CONTEXT).html


def test_macro_stands_beside_micro():
    text = REPORT.markdown.split("Micro average")[1].split("\n\n")[1]
    rows = [[cell.strip(" *") for cell in line.split("|")[1:-1]] for line in text.splitlines()]

    assert rows[0][1:3] == ["Recall@20 micro", "Recall@20 macro"]
    micro, macro = (value("markov", "recall", 20, slice=name) for name in ("overall", "macro"))
    assert rows[4][:3] == ["markov", f"{micro:.3f}", f"{macro:.3f}"]


def test_contexts_of_the_main_model_and_its_rival_without_empty_groups():
    header, *rows = table(REPORT.markdown, "By place in the session, Recall@20")

    # Each of the 60 sessions has 5 events: after 1, 2, 3 and 4 of them.
    assert header == ["Events seen so far", "n", "gru4rec", "95 % interval", "markov",
                      "95 % interval"]  # fmt: skip
    assert [row[:2] for row in rows] == [["1", "60"], ["2", "60"], ["3", "60"], ["4", "60"]]
    third = contextual_metrics().filter(
        slice="position", group="3", model="gru4rec", metric="recall", k=20
    )
    assert rows[2][2] == f"{third['value'][0]:.3f}"


def test_differences_are_marked_where_they_are_real_and_have_the_opposite_sign_from_below():
    comparisons = findings().comparisons
    assert comparisons is not None
    overall = comparisons.filter(slice="overall", metric="recall")
    difference, low, high = overall.select("difference", "low", "high").row(0)
    assert overall["significant"][0]
    words = section(REPORT.markdown, "Which differences are real")

    assert f"| markov | **{difference:+.3f}** | {low:+.3f} to {high:+.3f} |" in words
    matrix = table(REPORT.markdown, "Recall@20 of the row's model minus that of the column's")
    assert matrix == [
        ["Row minus column", "1", "2"],
        ["1 gru4rec", "–", f"{difference:+.3f}"],
        ["2 markov", f"−{difference:.3f}", "–"],
    ]


def test_figures_of_lists_stand_beside_their_meaning():
    header, *rows = table(REPORT.markdown, "Lists of 20 items")

    assert rows[0][0] == "gru4rec"
    by_name = dict(zip(header, rows[0], strict=True))
    assert by_name["Coverage"] == "0.500"
    assert by_name["ARP"] == "1,234"  # 1234.5, to even
    assert by_name["Novelty"] == "–"  # not measured
    explained = [
        row[0] for row in table(REPORT.markdown, "What each figure says of a list, or of all lists")
    ]
    assert explained[1:] == header[1:]


def test_popularity_of_what_is_shown_stands_below_that_of_what_came_next():
    header, *rows = table(REPORT.markdown, "Share of the shown items by popularity decile in train")

    assert [row[0] for row in rows] == ["what came next", "gru4rec", "markov"]
    shares = [float(cell.removesuffix(" %")) for cell in rows[0][1:]]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert header[-1] == "10"


def test_examples_mark_what_came_next_and_say_its_rank():
    words = section(REPORT.markdown, "Examples")
    example = findings().examples[0]

    assert f"### 1. {example.outcome} (" in words
    assert f"Came next: {example.target.title} ({example.target.item_type})" in words
    main = example.suggestions[0]
    assert f"gru4rec ranks it {main.rank}" in words
    assert f"| 1 | **✓ {example.target.title} (" in words


def test_costs_are_shown_in_units_for_people():
    rows = table(REPORT.markdown, "Size and speed")[1:]

    assert rows == [
        ["gru4rec", "2.3 MB", "1.5 min", "68,000", "0.60 ms", "–"],
        ["markov", "710 kB", "–", "76,000", "0.04 ms", "0.05 ms"],
    ]


def test_a_leak_that_was_found_cannot_be_overlooked():
    verdicts = (LeakVerdict("time", True, "none"), LeakVerdict("items", False, "3 sessions"))
    report = build_report(METRICS, replace(CONTEXT, leak_audit=verdicts))

    words = section(report.markdown, "Leak audit")
    assert "1 of 2 searches found a leak: items. Do not trust the figures above" in words
    assert "| items | **FAILED** | 3 sessions |" in words
    assert "Do not trust" not in REPORT.markdown


def test_without_an_audit_nothing_is_said_of_leaks():
    report = build_report(METRICS, replace(CONTEXT, leak_audit=()))

    assert "leak" not in report.markdown.lower() + report.html.lower()


def test_the_trend_shows_the_figures_of_each_report():
    rows = table(REPORT.markdown, "The last 2 reports")[1:]

    assert rows[1][:6] == ["2", "2023-03-02 10:00 UTC", "2c3d", "0.1.0", "0.450", "0.440 to 0.460"]
    assert rows[0][7] == "0.300"  # markov, 0.1 below
    assert "Recall@20 by report" in REPORT.html


def test_the_epoch_whose_weights_are_kept_is_named():
    later = [*HISTORY, {"epoch": 5, "loss": 4.0, "recall_at_20": 0.21}]
    report = build_report(METRICS, replace(CONTEXT, training=later))

    assert "The weights of epoch 4 are kept" in report.markdown
    assert "| 5 | 4.000 | 0.210 |" in report.markdown


def test_without_epochs_there_is_no_training_section():
    report = build_report(METRICS, replace(CONTEXT, training=()))

    assert "Training of gru4rec" in REPORT.html
    assert "Training of gru4rec" not in report.html


@pytest.mark.parametrize(
    "fact",
    [
        "240 predictions",
        "all 90 items",
        "Ties count against the model",
        "train before 2023-02-18 04:10 UTC",
        "test from 2023-02-24 01:00 UTC on",
        "simulated, seed 7",
        "crossrec evaluate",
        "0a1b",
    ],
)
def test_how_it_was_measured_is_said_in_both_forms(fact: str):
    assert fact in REPORT.markdown
    assert fact in REPORT.html


def test_the_data_card_counts_parts_and_cold_events():
    assert table(REPORT.markdown, "Parts")[2] == ["validation", "500", "3,000", "88", "12"]


def test_notes_are_added_to_the_measurement():
    report = build_report(METRICS, replace(CONTEXT, notes=("Trained for one epoch only.",)))

    assert "Trained for one epoch only." in report.markdown
    assert "Trained for one epoch only." in report.html
