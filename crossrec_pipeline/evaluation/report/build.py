"""Metrics, findings and context go in; the sections are put in order and written twice."""

from dataclasses import dataclass

import polars as pl

from crossrec_pipeline.evaluation.report.blocks import Section
from crossrec_pipeline.evaluation.report.by_context import context_section
from crossrec_pipeline.evaluation.report.by_type import transition_section, type_section
from crossrec_pipeline.evaluation.report.context import ReportContext
from crossrec_pipeline.evaluation.report.controls import control_section
from crossrec_pipeline.evaluation.report.cost_table import cost_section
from crossrec_pipeline.evaluation.report.data_card import data_section, reproduce_section
from crossrec_pipeline.evaluation.report.differences import Differences
from crossrec_pipeline.evaluation.report.example_tables import example_section
from crossrec_pipeline.evaluation.report.figures import KEYS, Figures
from crossrec_pipeline.evaluation.report.findings import Findings
from crossrec_pipeline.evaluation.report.headline import headline_section
from crossrec_pipeline.evaluation.report.html import html
from crossrec_pipeline.evaluation.report.leaks import leak_section
from crossrec_pipeline.evaluation.report.lists import list_section
from crossrec_pipeline.evaluation.report.markdown import markdown
from crossrec_pipeline.evaluation.report.measurement import measurement_section
from crossrec_pipeline.evaluation.report.metric_tables import metric_section
from crossrec_pipeline.evaluation.report.real_differences import difference_section
from crossrec_pipeline.evaluation.report.standing import standing
from crossrec_pipeline.evaluation.report.training import training_section
from crossrec_pipeline.evaluation.report.trend import trend_section
from crossrec_pipeline.evaluation.report.verdict import verdict_section


@dataclass(frozen=True)
class Report:
    """The same report twice: Markdown (tables only) and one HTML page (with charts)."""

    markdown: str
    html: str


def build_report(
    metrics: pl.DataFrame, context: ReportContext, findings: Findings | None = None
) -> Report:
    """Write the evaluation of all models as Markdown and as a self-contained HTML page.

    Equal input gives equal text. The page needs no network: its charts are inline SVG.

    Parameters
    ----------
    metrics
        Columns of `SLICED_METRICS`: the results of `evaluate`, `evaluate_contexts` and their like
        for chance, concatenated.
    context
        What else is to be said.
    findings
        Further results; what is missing is left out.

    Raises
    ------
    EvaluationError
        If the main model is not among the metrics, the models were not evaluated on equally many
        predictions and so cannot be compared, or the controls lack a column.
    """
    metrics = metrics.sort(KEYS)  # charts draw in the order of rows
    findings = findings or Findings()
    figures = Figures.read(metrics)
    order = standing(figures, context.main_model)
    types = sorted(context.n_items_by_type)  # the order of the charts
    differences = None if findings.comparisons is None else Differences.read(findings.comparisons)
    sections: list[Section | None] = [
        verdict_section(figures, order, differences, types, context),
        headline_section(metrics, figures, order, context),
        difference_section(order, differences, types),
        metric_section(metrics, figures, order),
        type_section(metrics, figures, order, types),
        transition_section(metrics, figures, order, types),
        context_section(metrics, figures, order),
        list_section(findings, order),
        example_section(findings.examples, order),
        cost_section(findings.costs, order),
        control_section(findings.controls),
        leak_section(context.leak_audit),
        trend_section(findings.history, order),
        training_section(context),
        measurement_section(context, order),
        data_section(context),
        reproduce_section(context),
    ]
    given = [section for section in sections if section is not None]
    return Report(markdown(context, given), html(context, given))
