"""Figures of earlier reports go in; Recall@K by report comes out."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from crossrec_pipeline.evaluation.charts.forms import (
    WIDTH,
    Chart,
    inline,
    legend,
    model_colour,
    model_shape,
)
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF


def recall_trend(rows: pl.DataFrame, models: Sequence[str], main: str, rival: str | None) -> Chart:
    """Draw Recall@20 of some models by report, with 95 % intervals.

    Parameters
    ----------
    rows
        Columns `report` (1 is the oldest), `model`, `value`, `low`, `high`.
    models
        The models to draw.
    main, rival
        The models that stand out.
    """
    drawn = rows.filter(pl.col("model").is_in(list(models)))
    base = alt.Chart(inline(drawn, "report", "model", "value", "low", "high")).encode(
        x=alt.X("report:O", title="Report", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        color=model_colour(models, main, rival, legend()),
    )
    lines = base.mark_line(point=alt.OverlayMarkDef(size=45, filled=True)).encode(
        y=alt.Y("value:Q", title=f"Recall@{HEADLINE_CUTOFF}", scale=alt.Scale(zero=True)),
        shape=model_shape(models, legend()),
    )
    intervals = base.mark_rule(strokeWidth=1.5).encode(y="low:Q", y2="high:Q")
    return alt.layer(intervals, lines).properties(
        title=f"Recall@{HEADLINE_CUTOFF} by report", width=WIDTH, height=180
    )
