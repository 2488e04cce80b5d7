"""Sliced metrics or a training history go in, Altair charts come out; `rendering` draws them."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import altair as alt
import polars as pl

from crossrec_pipeline.evaluation.measures import CURVE_CUTOFFS, HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.slices import CHANCE, ORACLE, model_order
from crossrec_pipeline.models.registry import KINDS
from crossrec_pipeline.rendering import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart

# Marks also carry names or shapes: no chart is read by colour alone.
_MODEL_COLOURS = (ORANGE, SKY, BLUE, VERMILION, PURPLE, "#9a6324", "#666633")
"""Of the models between chance and the oracle. A kind of the registry has the same one in every
chart, whatever it is compared with."""
_WIDTH = 360


def recall_by_model(metrics: pl.DataFrame, k: int = HEADLINE_CUTOFF) -> Chart:
    """Draw Recall@K of the next item as one bar a model, with its 95 % interval."""
    rows = _select(metrics, "overall", k)
    models = model_order(rows["model"])
    y = alt.Y("model:N", sort=models, title=None)
    base = alt.Chart(_data(rows))
    bars = base.mark_bar().encode(
        x=alt.X("value:Q", title=f"Recall@{k}", scale=alt.Scale(zero=True)),
        y=y,
        color=_model_colour(models, legend=False),
    )
    intervals = base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q", y=y)
    # Beside the interval where there is one.
    labels = base.mark_text(align="left", dx=5).encode(
        x=alt.X("label_at:Q"), y=y, text=alt.Text("value:Q", format=".3f")
    )
    return alt.layer(bars, intervals, labels).properties(
        title=f"Recall@{k} of the next item", width=_WIDTH, height=alt.Step(26)
    )


def recall_by_type(metrics: pl.DataFrame, k: int = HEADLINE_CUTOFF) -> Chart:
    """Draw Recall@K of the next item by its type, one panel a type, one bar a model."""
    rows = _select(metrics, "target_type", k)
    models = model_order(rows["model"])
    y = alt.Y("model:N", sort=models, title=None)
    base = alt.Chart()
    bars = base.mark_bar().encode(
        x=alt.X("value:Q", title=f"Recall@{k}", scale=alt.Scale(zero=True)),
        y=y,
        color=_model_colour(models, legend=False),
    )
    labels = base.mark_text(align="left", dx=5).encode(
        x=alt.X("label_at:Q"), y=y, text=alt.Text("value:Q", format=".3f")
    )
    return (
        alt.layer(bars, labels, data=_data(rows))
        .properties(width=_WIDTH, height=alt.Step(18))
        .facet(
            row=alt.Row(
                "target_type:N",
                title=None,
                header=alt.Header(labelAnchor="start", labelOrient="top", labelPadding=2),
            ),
            title=f"Recall@{k} by the type of the next item",
            spacing=16,
        )
    )


def transition_heat_map(metrics: pl.DataFrame, model: str, k: int = HEADLINE_CUTOFF) -> Chart:
    """Draw one model's Recall@K by the types of the last seen and of the next item."""
    rows = _select(metrics.filter(pl.col("model") == model), "transition", k)
    highest = float(rows["value"].fill_null(0.0).max() or 0.0)  # type: ignore[arg-type]
    rows = rows.with_columns(
        pl.when(pl.col("value").is_null())
        .then(pl.lit("–"))
        .otherwise(pl.col("value").fill_null(0.0).map_elements("{:.3f}".format, pl.String))
        .alias("label"),
        pl.col("n").map_elements("n {:,}".format, pl.String).alias("count"),
        # White on the dark half of the scale, black on the light half, grey on an empty cell.
        pl.when(pl.col("value").is_null())
        .then(pl.lit(GREY))
        .when(pl.col("value") > highest * 0.55)
        .then(pl.lit("white"))
        .otherwise(pl.lit("black"))
        .alias("ink"),
    )
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("target_type:N", title="Type of the next item", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("source_type:N", title="Type of the last seen item"),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "value:Q",
            scale=alt.Scale(scheme="blues", domain=[0, highest or 1.0]),
            legend=None,
        )
    )
    ink = alt.Color("ink:N", scale=None)
    values = base.mark_text(fontSize=14, dy=-7).encode(text="label:N", color=ink)
    counts = base.mark_text(fontSize=10, dy=10).encode(text="count:N", color=ink)
    return (
        alt.layer(cells, values, counts)
        .resolve_scale(color="independent")
        .properties(
            title=f"Recall@{k} of {model} by transition", width=alt.Step(110), height=alt.Step(56)
        )
    )


def recall_curve(metrics: pl.DataFrame) -> Chart:
    """Draw overall Recall@K of the next item over K, one line a model; K is on a log scale."""
    rows = metrics.filter(
        (pl.col("slice") == "overall")
        & (pl.col("relevance") == "next")
        & (pl.col("metric") == "recall")
    ).select("model", "k", "value")
    models = model_order(rows["model"])
    return (
        alt.Chart(_data(rows))
        .mark_line(point=alt.OverlayMarkDef(size=45, filled=True))
        .encode(
            x=alt.X(
                "k:Q",
                title="K (log scale)",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(values=list(CURVE_CUTOFFS), format="d"),
            ),
            y=alt.Y("value:Q", title="Recall@K", scale=alt.Scale(zero=True)),
            color=_model_colour(models, legend=True),
            # The same domain and legend as the colour's make one legend of both.
            shape=alt.Shape(
                "model:N",
                sort=models,
                title=None,
                scale=alt.Scale(domain=models),
                legend=_legend(),
            ),
        )
        .properties(title="Recall of the next item over K", width=_WIDTH, height=240)
    )


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
            .properties(width=_WIDTH, height=150)
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
        .properties(width=_WIDTH, height=200)
    )


def _select(metrics: pl.DataFrame, slice_: str, k: int) -> pl.DataFrame:
    rows = metrics.filter(
        (pl.col("slice") == slice_)
        & (pl.col("relevance") == "next")
        & (pl.col("metric") == "recall")
        & (pl.col("k") == k)
    )
    label_at = pl.max_horizontal("value", "high").alias("label_at")
    return rows.select("model", "source_type", "target_type", "value", "n", "low", "high", label_at)


def _data(rows: pl.DataFrame) -> alt.InlineData:
    return alt.InlineData(values=rows.to_dicts())


def _model_colour(models: Sequence[str], *, legend: bool) -> alt.Color:
    others = [model for model in models if model not in (CHANCE, ORACLE, *KINDS)]
    own = dict(zip([*KINDS, *others], cycle(_MODEL_COLOURS), strict=False))
    colours = [{**own, CHANCE: GREY, ORACLE: GREEN}[model] for model in models]
    return alt.Color(
        "model:N",
        sort=list(models),
        title=None,
        scale=alt.Scale(domain=list(models), range=colours),
        legend=_legend() if legend else None,
    )


def _legend() -> alt.Legend:
    return alt.Legend(orient="bottom", columns=3, symbolSize=80)
