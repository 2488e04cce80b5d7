"""Metrics of all models and their context go in, one report comes out: Markdown and HTML."""

from crossrec_pipeline.evaluation.report.build import Report, build_report
from crossrec_pipeline.evaluation.report.context import LeakVerdict, PartCounts, ReportContext
from crossrec_pipeline.evaluation.report.findings import Findings
from crossrec_pipeline.evaluation.report.headline import headline_table

__all__ = [
    "Findings",
    "LeakVerdict",
    "PartCounts",
    "Report",
    "ReportContext",
    "build_report",
    "headline_table",
]
