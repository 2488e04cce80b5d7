"""A training's history or a search's trials go in; their charts come out."""

from collections.abc import Mapping, Sequence

import altair as alt
import polars as pl

from crossrec_pipeline.evaluation.charts.forms import WIDTH, Chart
from crossrec_pipeline.rendering import BLUE


def training_curves(history: Sequence[Mapping[str, float]]) -> Chart:
    """Draw training loss and, where recorded, validation Recall@20 by epoch (a fit's history)."""
    panels = {"loss": "Training loss", "recall_at_20": "Validation Recall@20"}
    charts = []
    for column, title in panels.items():
        points = [{"epoch": row["epoch"], "value": row[column]} for row in history if column in row]
        if not points:
            continue
        charts.append(
            alt.Chart(alt.InlineData(values=points))
            .mark_line(color=BLUE, point=alt.OverlayMarkDef(color=BLUE, size=40))
            .encode(
                x=alt.X("epoch:Q", title="Epoch", axis=alt.Axis(format="d", tickMinStep=1)),
                y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            )
            .properties(width=WIDTH, height=150)
        )
    return alt.vconcat(*charts, title="Training by epoch")


def trials_chart(trials: pl.DataFrame) -> Chart:
    """Draw validation Recall@20 by trial (`tuning.TRIALS`); pruned trials are hollow."""
    points = trials.filter(pl.col("validation_recall_at_20").is_not_null())
    return (
        alt.Chart(
            alt.InlineData(
                values=points.select("trial", "validation_recall_at_20", "state").to_dicts()
            ),
            title="Search by trial",
        )
        .mark_point(color=BLUE, size=50)
        .encode(
            x=alt.X("trial:Q", title="Trial", axis=alt.Axis(format="d", tickMinStep=1)),
            y=alt.Y(
                "validation_recall_at_20:Q",
                title="Validation Recall@20",
                scale=alt.Scale(zero=False),
            ),
            fillOpacity=alt.condition("datum.state == 'complete'", alt.value(1), alt.value(0)),
            fill=alt.value(BLUE),
        )
        .properties(width=WIDTH, height=200)
    )
