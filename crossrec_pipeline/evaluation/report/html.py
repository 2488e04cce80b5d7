"""Blocks go in, one HTML page comes out that needs no network and no script."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from crossrec_pipeline.evaluation.report.blocks import Section
from crossrec_pipeline.evaluation.report.context import ReportContext

_TEMPLATES = Path(__file__).parent / "templates"


def html(context: ReportContext, sections: Sequence[Section]) -> str:
    """Write the whole report."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2").render(context=context, sections=sections)
