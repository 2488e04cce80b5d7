"""Sliced metrics go in; Recall@K of the main model and its rival by one context comes out."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from crossrec_pipeline.evaluation.charts.forms import (
    Chart,
    inline,
    legend,
    model_colour,
    model_shape,
    select,
)
from crossrec_pipeline.evaluation.contexts import GROUPS
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF

_WIDTH, _HEIGHT = 260, 150


def context_lines(
    metrics: pl.DataFrame, slice_: str, titles: tuple[str, str], models: Sequence[str], main: str
) -> Chart:
    """Draw Recall@20 by the groups of a context, with 95 % intervals.

    Parameters
    ----------
    metrics
        Columns of `SLICED_METRICS`.
    slice_
        A key of `GROUPS`.
    titles
        Of the chart, and of the axis of groups.
    models
        The main model and, where there is one, its rival.
    main
        The main model.
    """
    rows = select(metrics, slice_).filter(
        pl.col("model").is_in(list(models)) & pl.col("value").is_not_null()
    )
    title, axis_title = titles
    rival = next((model for model in models if model != main), None)
    groups = [group for group in GROUPS[slice_] if group in rows["group"]]
    base = alt.Chart(inline(rows, "model", "group", "value", "low", "high")).encode(
        x=alt.X("group:N", sort=groups, title=axis_title, axis=_axis(slice_)),
        # Beside one another, so that neither interval hides the other.
        xOffset=alt.XOffset("model:N", sort=list(models)),
        color=model_colour(models, main, rival, legend()),
    )
    intervals = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title=f"Recall@{HEADLINE_CUTOFF}", scale=alt.Scale(zero=True)),
        y2="high:Q",
    )
    points = base.mark_point(filled=True, size=50, opacity=1).encode(
        y="value:Q", shape=model_shape(models, legend())
    )
    return alt.layer(intervals, points).properties(title=title, width=_WIDTH, height=_HEIGHT)


def _axis(slice_: str) -> alt.Axis:
    """Label every group; of weekdays three letters, since their names would hide one another."""
    if slice_ == "weekday":
        return alt.Axis(labelAngle=0, labelExpr="slice(datum.label, 0, 3)")
    return alt.Axis(labelAngle=0)
