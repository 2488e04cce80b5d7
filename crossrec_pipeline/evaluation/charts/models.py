"""Sliced metrics go in; bars of Recall@K by model, and by model and type, come out."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from crossrec_pipeline.evaluation.charts.forms import WIDTH, Chart, inline, model_colour, select
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF

_BAR = ("model", "value", "low", "high", "label_at")


def recall_by_model(
    metrics: pl.DataFrame, models: Sequence[str], main: str, rival: str | None
) -> Chart:
    """Draw Recall@20 of the next item as one bar a model, with its 95 % interval.

    Parameters
    ----------
    metrics
        Columns of `SLICED_METRICS`.
    models
        In the order of the bars.
    main, rival
        The models that stand out.
    """
    base = alt.Chart(inline(select(metrics, "overall"), *_BAR))
    return _bars(base, models, main, rival).properties(
        title=f"Recall@{HEADLINE_CUTOFF} of the next item", width=WIDTH, height=alt.Step(22)
    )


def recall_by_type(
    metrics: pl.DataFrame, models: Sequence[str], main: str, rival: str | None
) -> Chart:
    """Draw Recall@20 by the type of the next item, one panel a type; other models are left out.

    Parameters are those of `recall_by_model`.
    """
    rows = select(metrics, "target_type").filter(pl.col("model").is_in(list(models)))
    layers = _bars(alt.Chart(), models, main, rival).properties(width=WIDTH, height=alt.Step(18))
    return layers.facet(
        data=inline(rows, "target_type", *_BAR),
        row=alt.Row(
            "target_type:N",
            title=None,
            header=alt.Header(labelAnchor="start", labelOrient="top", labelPadding=2),
        ),
        title=f"Recall@{HEADLINE_CUTOFF} by the type of the next item",
        spacing=16,
    )


def _bars(base: alt.Chart, models: Sequence[str], main: str, rival: str | None) -> Chart:
    y = alt.Y("model:N", sort=list(models), title=None)
    bars = base.mark_bar().encode(
        x=alt.X("value:Q", title=f"Recall@{HEADLINE_CUTOFF}", scale=alt.Scale(zero=True)),
        y=y,
        color=model_colour(models, main, rival, legend=None),
    )
    intervals = base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q", y=y)
    # Beside the interval where there is one.
    labels = base.mark_text(align="left", dx=5).encode(
        x=alt.X("label_at:Q"), y=y, text=alt.Text("value:Q", format=".3f")
    )
    return alt.layer(bars, intervals, labels)
