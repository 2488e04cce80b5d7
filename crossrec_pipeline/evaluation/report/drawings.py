"""A chart goes in, a block of the page comes out."""

from typing import TYPE_CHECKING

from crossrec_pipeline.evaluation.report.blocks import Drawing
from crossrec_pipeline.rendering import alt_text, svg

if TYPE_CHECKING:
    from crossrec_pipeline.evaluation.charts import Chart


def drawing(chart: "Chart", caption: str) -> Drawing:
    """Draw a chart; its title is read to those who do not see it."""
    return Drawing(svg(chart), alt_text(chart), caption)
