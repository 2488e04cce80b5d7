import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.report import (
    PartCounts,
    ReportContext,
    build_report,
    headline_table,
)
from crossrec_pipeline_tests.evaluation.sliced_metrics import HISTORY, TYPES, sliced_metrics

METRICS = sliced_metrics()
CONTEXT = ReportContext(
    title="Evaluation",
    main_model="gru4rec",
    events="simulated, seed 7",
    n_items_by_type=dict.fromkeys(TYPES, 30),
    parts=(
        PartCounts("train", 4_000, 24_000, 90, 0),
        PartCounts("validation", 500, 3_000, 88, 12),
        PartCounts("test", 60, 300, 85, 34),
    ),
    validation_start="2023-02-18 04:10 UTC",
    test_start="2023-02-24 01:00 UTC",
    data_versions={"catalogue/items": "0a1b", "interactions/events": "2c3d"},
    command="crossrec evaluate",
    history=HISTORY,
)
REPORT = build_report(METRICS, CONTEXT)


def value(model: str, metric: str, k: int, **where: str) -> float | None:
    wanted = {"slice": "overall", "relevance": "next"} | where
    rows = METRICS.filter(
        pl.col("model") == model,
        pl.col("metric") == metric,
        pl.col("k") == k,
        *(pl.col(name) == wish for name, wish in wanted.items()),
    )
    assert rows.height == 1
    return rows["value"][0]


def table(caption: str) -> list[list[str]]:
    """Return the cells of a Markdown table, header first."""
    lines = REPORT.markdown.split(f"**{caption}**\n\n")[1].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells[0], *cells[2:]]


def test_the_headline_shows_the_figures_of_the_frame():
    header, *rows = table("Next item, all types")

    assert header == [
        "Model",
        "Recall@20",
        "95 % interval",
        "MRR@20",
        "NDCG@20",
        "Precision@10",
        "Recall@10",
    ]
    assert [row[0] for row in rows] == ["chance", "markov", "gru4rec", "oracle"]
    expected = [("recall", 20), ("mrr", 20), ("ndcg", 20), ("precision", 10), ("recall", 10)]
    shown = [rows[2][1], *rows[2][3:]]
    assert shown == [f"{value('gru4rec', metric, k):.3f}" for metric, k in expected]
    assert re.fullmatch(r"0\.\d{3} to 0\.\d{3}", rows[2][2])


def test_the_limit_of_precision_is_said():
    assert "Precision@K cannot exceed 1/K" in REPORT.markdown
    assert "Precision@K cannot exceed 1/K" in REPORT.html


def test_share_of_the_oracle():
    recall, best = value("gru4rec", "recall", 20), value("oracle", "recall", 20)
    assert recall is not None
    assert best is not None
    rows = {row[0]: row for row in table("Share of the oracle reached")[1:]}

    assert rows["gru4rec"][1] == f"{100 * recall / best:.1f} %"
    assert "oracle" not in rows


def test_without_an_oracle_no_share_is_claimed():
    report = build_report(METRICS.filter(pl.col("model") != "oracle"), CONTEXT)

    assert "oracle" not in report.markdown.lower()


@pytest.mark.parametrize(
    ("caption", "relevance"), [("Next item", "next"), ("Rest of the session", "rest")]
)
def test_all_metrics_at_all_cutoffs(caption: str, relevance: str):
    header, *rows = table(caption)

    assert header == ["Model", "K", "Precision", "Recall", "F1", "MRR", "NDCG", "MAP"]
    assert len(rows) == 4 * 3
    last = rows[-1]
    assert last[:2] == ["oracle", "20"]
    assert last[4] == f"{value('oracle', 'f1', 20, relevance=relevance):.3f}"


def test_types_by_model_with_counts():
    header, *rows = table("Recall@20 among all items")

    assert header == ["Next item", "n", "chance", "markov", "gru4rec", "oracle"]
    assert [row[0] for row in rows] == ["Book", "Movie", "Music"]
    found = value("markov", "recall", 20, slice="target_type", target_type="Music")
    assert rows[2][3] == f"{found:.3f}"
    within = value("markov", "recall_within_type", 20, slice="target_type", target_type="Music")
    assert table("Recall@20 among its type")[3][3] == f"{within:.3f}"


def test_transitions_of_the_main_model_with_counts_and_a_dash_for_none():
    header, *rows = table("Recall@20 of gru4rec by transition (n)")

    assert header == ["From, to", "Book", "Movie", "Music"]
    found = value(
        "gru4rec", "recall", 20, slice="transition", source_type="Movie", target_type="Music"
    )
    assert rows[1] == ["Movie", "– (0)", rows[1][2], f"{found:.3f} (60)"]


def test_macro_stands_beside_micro():
    header, *rows = table("Next item, micro and macro average over types")

    assert header[1:3] == ["Recall@20 micro", "Recall@20 macro"]
    micro, macro = (value("gru4rec", "recall", 20, slice=name) for name in ("overall", "macro"))
    assert rows[2][1:3] == [f"{micro:.3f}", f"{macro:.3f}"]


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
    assert table("Parts")[2] == ["validation", "500", "3,000", "88", "12"]


def test_times_are_shown_to_the_minute_whatever_zone_they_are_given_in():
    report = build_report(METRICS, replace(CONTEXT, test_start="2023-02-24T02:00:53.57+01:00"))

    assert "test from 2023-02-24 01:00 UTC on" in report.markdown


def test_a_simulated_log_is_said_to_tell_nothing_about_people():
    simulated = "nothing about how people behave"

    assert simulated in REPORT.markdown
    without_oracle = METRICS.filter(pl.col("model") != "oracle")
    assert simulated not in build_report(without_oracle, CONTEXT).markdown


def test_every_model_and_metric_is_explained():
    assert [row[0] for row in table("What each model goes by")[1:]] == [
        "chance",
        "markov",
        "gru4rec",
        "oracle",
    ]
    caption = "What each metric says of one prediction; reported is the mean over all predictions"
    assert [row[0] for row in table(caption)[1:]] == [
        "Precision@K",
        "Recall@K",
        "F1@K",
        "MRR@K",
        "NDCG@K",
        "MAP@K",
    ]


def test_the_epoch_whose_weights_are_kept_is_named():
    later = [*HISTORY, {"epoch": 5, "loss": 4.0, "recall_at_20": 0.21}]
    report = build_report(METRICS, replace(CONTEXT, history=later))

    assert "The weights of epoch 4 are kept" in report.markdown
    assert "| 5 | 4.000 | 0.210 |" in report.markdown


def test_the_headline_says_how_much_of_test_was_left_out():
    headline = REPORT.markdown.split("## All metrics")[0]

    assert "34 events of test are left out" in headline
    assert "300 are left" in headline


def test_notes_are_added_to_the_measurement():
    report = build_report(METRICS, replace(CONTEXT, notes=("Trained for one epoch only.",)))

    assert "Trained for one epoch only." in report.markdown
    assert "Trained for one epoch only." in report.html


def test_equal_input_gives_an_equal_report():
    assert build_report(METRICS.sample(fraction=1, shuffle=True, seed=1), CONTEXT) == REPORT


def test_a_time_is_shown_only_when_given():
    dated = build_report(METRICS, replace(CONTEXT, produced_at="2023-03-02 10:00 UTC"))

    assert "Produced 2023-03-02 10:00 UTC." in dated.markdown
    assert "Produced" not in REPORT.markdown + REPORT.html


class _Balance(HTMLParser):
    """Finds tags that are closed in another order than opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in ("meta", "link", "img", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_with_a_chart_in_each_place():
    page = _Balance()
    page.feed(REPORT.html)

    assert page.open == []
    assert page.counts["svg"] == 5
    assert page.counts["figcaption"] == page.counts["figure"] == 5
    assert page.counts["table"] == REPORT.markdown.count("\n**")


def test_no_id_stands_twice_on_the_page():
    ids = re.findall(r'\bid="([^"]+)"', REPORT.html)

    assert len(ids) == len(set(ids))


def test_the_page_asks_for_nothing_from_elsewhere():
    assert not re.search(
        r"""(src|href)\s*=\s*["']?(https?:)?//|@import|<script|<link""", REPORT.html
    )


def test_the_page_has_dark_colours_and_scrolling_tables():
    assert "prefers-color-scheme: dark" in REPORT.html
    assert "overflow-x: auto" in REPORT.html
    assert 'name="viewport"' in REPORT.html


def test_text_from_outside_is_escaped():
    report = build_report(
        METRICS, replace(CONTEXT, events="<b>a|b</b>", data_versions={"a|b": "1"})
    )

    assert "<b>a" not in report.html
    assert "| a\\|b | 1 |" in report.markdown


def test_without_history_there_is_no_training_section():
    report = build_report(METRICS, replace(CONTEXT, history=()))

    assert "Training of gru4rec" in REPORT.html
    assert "Training of gru4rec" not in report.html


def test_nothing_measured_is_a_dash_not_a_zero():
    nulls = METRICS.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("value", "low", "high")
    )

    assert "| gru4rec | – | – | – | – | – | – |" in build_report(nulls, CONTEXT).markdown


def test_small_values_of_chance_are_not_shown_as_zero():
    small = METRICS.with_columns(pl.col("value") / 1000)

    assert "| chance | 0.00022 |" in build_report(small, CONTEXT).markdown


def test_a_main_model_that_was_not_evaluated_is_named():
    with pytest.raises(EvaluationError, match=r"'bert4rec'.*chance, markov, gru4rec, oracle"):
        build_report(METRICS, replace(CONTEXT, main_model="bert4rec"))


def test_models_of_different_predictions_are_not_compared():
    fewer = METRICS.with_columns(
        pl.when(pl.col("model") == "markov").then(pl.col("n") - 1).otherwise(pl.col("n")).alias("n")
    )

    with pytest.raises(EvaluationError, match=r"markov 239.*same sessions"):
        build_report(fewer, CONTEXT)


def test_rows_by_context_leave_the_report_as_it_is():
    overall = METRICS.filter(pl.col("slice") == "overall")
    by_context = overall.with_columns(
        slice=pl.lit("position"), group=pl.lit("1"), value=pl.lit(0.5), n=pl.lit(3, pl.Int64)
    )

    assert build_report(pl.concat([METRICS, by_context]), CONTEXT) == REPORT


def test_the_terminal_table_is_aligned():
    lines = headline_table(METRICS).splitlines()

    assert lines[0].startswith("Model")
    assert [line.split()[0] for line in lines[2:]] == ["chance", "markov", "gru4rec", "oracle"]
    assert f"{value('gru4rec', 'recall', 20):.3f}" in lines[4]
    assert len({len(line) for line in lines}) == 1


def test_importing_the_evaluation_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from crossrec_pipeline.evaluation import beyond_accuracy, chance, ranking, report\n"
        "from crossrec_pipeline.evaluation import seeds, significance, slices, top_lists\n"
        "print(sorted({'altair', 'vl_convert', 'torch', 'scipy', 'dagster'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
