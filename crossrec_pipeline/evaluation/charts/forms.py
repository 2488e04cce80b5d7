"""What all charts of the evaluation share: their type, their width, rows, and models' looks.

A reader follows the main model and its best rival through every chart. These two, popularity and
what bounds all models have colours; however many others there are, they stay in the background.
"""

from collections.abc import Sequence

import altair as alt
import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.popularity_shares import TARGETS
from crossrec_pipeline.evaluation.slices import CHANCE, ORACLE
from crossrec_pipeline.rendering import BLUE, GREEN, GREY, ORANGE, PURPLE

Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart

WIDTH = 300
"""Of the plot in pixels: with its labels a chart fits a telephone without being shrunk much."""

_BACKGROUND = "#7d93a8"


def select(metrics: pl.DataFrame, slice_: str, k: int = HEADLINE_CUTOFF) -> pl.DataFrame:
    """Take Recall@K of the next item in one slice; `label_at` is where a bar's label begins."""
    rows = metrics.filter(
        (pl.col("slice") == slice_)
        & (pl.col("relevance") == "next")
        & (pl.col("metric") == "recall")
        & (pl.col("k") == k)
    )
    return rows.with_columns(pl.max_horizontal("value", "high").alias("label_at"))


def inline(rows: pl.DataFrame, *columns: str) -> alt.InlineData:
    """Write the columns that a chart uses into it."""
    return alt.InlineData(values=rows.select(columns).to_dicts())


def colour(name: str, main: str, rival: str | None) -> str:
    """Return a model's colour; models that are neither main nor rival have one in common."""
    if name == main:
        return BLUE
    if name == rival:
        return ORANGE
    known = {CHANCE: GREY, "popularity": PURPLE, ORACLE: GREEN, TARGETS: GREEN}
    return known.get(name, _BACKGROUND)


def model_colour(
    models: Sequence[str], main: str, rival: str | None, legend: alt.Legend | None
) -> alt.Color:
    """Colour the column `model`."""
    return alt.Color(
        "model:N",
        sort=list(models),
        title=None,
        scale=alt.Scale(
            domain=list(models), range=[colour(model, main, rival) for model in models]
        ),
        legend=legend,
    )


def model_shape(models: Sequence[str], legend: alt.Legend | None) -> alt.Shape:
    """Give the column `model` shapes: no chart is read by colour alone.

    The same domain and legend as the colour's make one legend of both.
    """
    return alt.Shape(
        "model:N",
        sort=list(models),
        title=None,
        scale=alt.Scale(domain=list(models)),
        legend=legend,
    )


def legend() -> alt.Legend:
    """Return a legend below the plot, narrow enough for it."""
    return alt.Legend(orient="bottom", columns=3, symbolSize=80)
