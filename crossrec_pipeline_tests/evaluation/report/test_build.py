import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.report import Findings, Report, build_report
from crossrec_pipeline_tests.evaluation.report.report_inputs import (
    CONTEXT,
    METRICS,
    OTHERS,
    findings,
    many,
    table,
)
from crossrec_pipeline_tests.evaluation.sliced_metrics import contextual_metrics

BARE = build_report(METRICS, CONTEXT)
FULL = build_report(pl.concat([METRICS, contextual_metrics()]), CONTEXT, findings())
MANY = build_report(many()[0], CONTEXT, many()[1])
REPORTS = {"bare": BARE, "full": FULL, "many": MANY}


class _Page(HTMLParser):
    """Finds tags closed in another order than opened; collects ids, links and what is loaded."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.counts: dict[str, int] = {}
        self.unnamed: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, dict(attrs))
        if tag not in ("meta", "link", "img", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _seen(self, tag: str, attrs: dict[str, str | None]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if found := attrs.get("id"):
            self.ids.append(found)
        if tag == "a":
            self.links.append(attrs.get("href") or "")
        if attrs.get("role") in ("img", "region") and not attrs.get("aria-label"):
            self.unnamed.append(tag)
        if tag in ("script", "link", "img", "iframe", "object", "embed"):
            self.loaded.append(tag)
        self.loaded.extend(
            str(attrs[name]) for name in ("src", "xlink:href", "data") if name in attrs
        )


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]


def test_the_page_is_well_formed(report: Report):
    assert _Page(report.html).open == []


def test_no_id_stands_twice_on_the_page(report: Report):
    ids = _Page(report.html).ids

    assert len(ids) == len(set(ids))


def test_every_section_is_in_the_contents(report: Report):
    page = _Page(report.html)

    assert len(page.links) == page.counts["section"]
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert report.markdown.count("\n## ") == page.counts["section"]


def test_the_page_asks_for_nothing_from_elsewhere(report: Report):
    assert _Page(report.html).loaded == []
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|@import""", report.html)
    assert not re.search(r"url\((?!#)", report.html)


def test_every_table_has_a_caption_and_every_chart_its_words(report: Report):
    page = _Page(report.html)

    assert page.counts["caption"] == page.counts["table"]
    assert page.counts["figcaption"] == page.counts["figure"] == page.counts["svg"]
    assert page.unnamed == []


def test_markdown_and_page_hold_the_same_tables(report: Report):
    rules = re.findall(r"^\|(?: ---:? \|)+$", report.markdown, re.M)

    assert _Page(report.html).counts["table"] == len(rules)


def test_sixteen_models_stay_readable_in_size():
    models = {"chance", "markov", "gru4rec", "oracle", *OTHERS}

    assert {row[0] for row in table(MANY.markdown, "Next item, all types")[1:]} == models
    assert len(models) == 16
    assert len(MANY.html.encode()) < 1_500_000
    assert len(MANY.markdown.encode()) < 300_000


def test_charts_name_only_a_few_of_sixteen_models():
    curve = MANY.html.split('aria-label="Recall of the next item over K.')[1].split("</svg>")[0]

    assert "gru4rec" in curve
    assert "model_07" not in curve


def test_without_findings_their_sections_are_left_out():
    for heading in (
        "Which differences are real",
        "By context",
        "Beyond hits",
        "Examples",
        "Costs",
        "Earlier reports",
    ):
        assert f"## {heading}\n" in FULL.markdown
        assert f"## {heading}\n" not in BARE.markdown


def test_the_verdict_stands_before_everything_else():
    assert FULL.markdown.startswith("# Evaluation\n\n## In short\n\n**gru4rec ranks best")


def test_equal_input_gives_an_equal_report():
    rows = pl.concat([METRICS, contextual_metrics()]).sample(fraction=1, shuffle=True, seed=1)

    assert build_report(rows, CONTEXT, findings()) == FULL


def test_a_time_is_shown_only_when_given():
    dated = build_report(METRICS, replace(CONTEXT, produced_at="2023-03-02 10:00 UTC"))

    assert "Produced 2023-03-02 10:00 UTC." in dated.markdown
    assert "Produced" not in BARE.markdown + BARE.html


def test_the_page_has_dark_colours_scrolling_tables_and_a_form_for_print():
    assert "prefers-color-scheme: dark" in BARE.html
    assert "overflow-x: auto" in BARE.html
    assert "@media print" in BARE.html
    assert 'name="viewport"' in BARE.html


HOSTILE = "<script>alert(1)</script>[x](javascript:1)|*`"


def test_text_from_outside_is_escaped_in_titles_events_and_versions():
    examples = [
        replace(example, target=replace(example.target, title=HOSTILE), seen=[example.target])
        for example in findings().examples
    ]
    context = replace(CONTEXT, title=HOSTILE, events=HOSTILE, data_versions={HOSTILE: HOSTILE})
    report = build_report(METRICS, context, Findings(examples=examples))

    assert "<script" not in report.html + report.markdown
    assert "[x](" not in report.markdown.replace("\\[x", "")
    assert f"# {HOSTILE}" not in report.markdown
    name, version = table(report.markdown, "Versions of the inputs")[1]
    assert name == version == "&lt;script>alert(1)&lt;/script>\\[x](javascript:1)\\|\\*\\`"


def test_nothing_measured_is_a_dash_not_a_zero():
    nulls = METRICS.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("value", "low", "high")
    )

    rows = table(build_report(nulls, CONTEXT).markdown, "Next item, all types")[1:]
    assert {cell for row in rows for cell in row[1:]} == {"–"}


def test_a_main_model_that_was_not_evaluated_is_named():
    with pytest.raises(EvaluationError, match=r"'bert4rec'.*chance, markov, gru4rec, oracle"):
        build_report(METRICS, replace(CONTEXT, main_model="bert4rec"))


def test_models_of_different_predictions_are_not_compared():
    fewer = METRICS.with_columns(
        pl.when(pl.col("model") == "markov").then(pl.col("n") - 1).otherwise(pl.col("n")).alias("n")
    )

    with pytest.raises(EvaluationError, match=r"markov 239.*same sessions"):
        build_report(fewer, CONTEXT)


def test_one_model_alone_can_be_reported():
    alone = METRICS.filter(pl.col("model") == "gru4rec")

    report = build_report(alone, CONTEXT, Findings(comparisons=findings().comparisons))

    assert "There is no other model to compare it with." in report.markdown
    assert "Which differences are real" not in report.markdown


def test_importing_the_evaluation_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from crossrec_pipeline.evaluation import beyond_accuracy, chance, ranking, report\n"
        "from crossrec_pipeline.evaluation import seeds, significance, slices, top_lists\n"
        "from crossrec_pipeline.evaluation import costs, examination, examples\n"
        "print(sorted({'altair', 'vl_convert', 'torch', 'scipy', 'dagster'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
