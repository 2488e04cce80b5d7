"""Sliced metrics go in; Recall@K of every model over K comes out."""

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
from crossrec_pipeline.evaluation.measures import CURVE_CUTOFFS
from crossrec_pipeline.rendering import GREY


def recall_curve(
    metrics: pl.DataFrame, shown: Sequence[str], main: str, rival: str | None
) -> Chart:
    """Draw overall Recall@K of the next item over K; K is on a log scale.

    Parameters
    ----------
    metrics
        Columns of `SLICED_METRICS`.
    shown
        Models with a colour and a name; those of the others are thin grey lines.
    main, rival
        The models that stand out.
    """
    rows = metrics.filter(
        (pl.col("slice") == "overall")
        & (pl.col("relevance") == "next")
        & (pl.col("metric") == "recall")
    ).sort("model", "k")
    named = pl.col("model").is_in(list(shown))
    x = alt.X(
        "k:Q",
        title="K (log scale)",
        scale=alt.Scale(type="log"),
        axis=alt.Axis(values=list(CURVE_CUTOFFS), format="d"),
    )
    y = alt.Y("value:Q", title="Recall@K", scale=alt.Scale(zero=True))
    columns = ("model", "k", "value")
    others = (
        alt.Chart(inline(rows.filter(~named), *columns))
        .mark_line(color=GREY, strokeWidth=1, opacity=0.6)
        .encode(x=x, y=y, detail="model:N")
    )
    lines = (
        alt.Chart(inline(rows.filter(named), *columns))
        .mark_line(point=alt.OverlayMarkDef(size=45, filled=True))
        .encode(
            x=x,
            y=y,
            color=model_colour(shown, main, rival, legend()),
            shape=model_shape(shown, legend()),
        )
    )
    return alt.layer(others, lines).properties(
        title="Recall of the next item over K", width=WIDTH, height=240
    )
