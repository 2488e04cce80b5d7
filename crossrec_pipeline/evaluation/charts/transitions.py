"""Sliced metrics go in; heat maps by the types of the last seen and of the next item come out."""

import altair as alt
import polars as pl

from crossrec_pipeline.evaluation.charts.forms import Chart, inline, select
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.rendering import BLUE, GREY, ORANGE

_PAIR = ("source_type", "target_type")
_DARK = 0.55
"""Share of the scale from which white letters are read better than black ones."""


def transition_heat_map(metrics: pl.DataFrame, model: str) -> Chart:
    """Draw one model's Recall@20 by transition."""
    rows = select(metrics.filter(pl.col("model") == model), "transition")
    highest = _largest(rows["value"]) or 1.0
    return _cells(
        rows.with_columns(_label("value", "{:.3f}"), dark=pl.col("value") > highest * _DARK),
        "value",
        alt.Scale(scheme="blues", domain=[0, highest]),
    ).properties(title=f"Recall@{HEADLINE_CUTOFF} of {model} by transition")


def transition_difference_map(metrics: pl.DataFrame, model: str, other: str) -> Chart:
    """Draw what one model's Recall@20 has more than another's, by transition."""
    of_model, of_other = (
        select(metrics.filter(pl.col("model") == name), "transition").select(*_PAIR, "value", "n")
        for name in (model, other)
    )
    rows = of_model.join(of_other.drop("n"), on=_PAIR, suffix="_other").with_columns(
        difference=pl.col("value") - pl.col("value_other")
    )
    largest = _largest(rows["difference"]) or 1.0
    return _cells(
        rows.with_columns(
            _label("difference", "{:+.3f}"), dark=pl.col("difference") > largest * _DARK
        ),
        "difference",
        alt.Scale(range=[ORANGE, "#f7f7f7", BLUE], domain=[-largest, 0, largest]),
    ).properties(title=f"{model} minus {other} by transition")


def _largest(values: pl.Series) -> float:
    return float(values.abs().max() or 0.0)  # type: ignore[arg-type]


def _label(column: str, form: str) -> pl.Expr:
    return (
        pl.when(pl.col(column).is_null())
        .then(pl.lit("–"))
        .otherwise(pl.col(column).fill_null(0.0).map_elements(form.format, pl.String))
        .str.replace("-", "−", literal=True)
        .alias("label")
    )


def _cells(rows: pl.DataFrame, column: str, scale: alt.Scale) -> Chart:
    rows = rows.with_columns(
        pl.col("n").map_elements("n {:,}".format, pl.String).alias("count"),
        # Grey on an empty cell, which has the page's own ground.
        pl.when(pl.col(column).is_null())
        .then(pl.lit(GREY))
        .when("dark")
        .then(pl.lit("white"))
        .otherwise(pl.lit("black"))
        .alias("ink"),
    )
    base = alt.Chart(inline(rows, *_PAIR, column, "label", "count", "ink")).encode(
        x=alt.X("target_type:N", title="Type of the next item", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("source_type:N", title="Type of the last seen item"),
    )
    cells = base.mark_rect().encode(color=alt.Color(f"{column}:Q", scale=scale, legend=None))
    ink = alt.Color("ink:N", scale=None)
    values = base.mark_text(fontSize=14, dy=-7).encode(text="label:N", color=ink)
    counts = base.mark_text(fontSize=11, dy=10).encode(text="count:N", color=ink)
    return (
        alt.layer(cells, values, counts)
        .resolve_scale(color="independent")
        .properties(width=alt.Step(95), height=alt.Step(56))
    )
