"""Shares of popularity deciles go in; what is shown beside what came next comes out."""

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
from crossrec_pipeline.evaluation.popularity_shares import TARGETS


def popularity_lines(
    shares: pl.DataFrame, models: Sequence[str], main: str, rival: str | None
) -> Chart:
    """Draw which share of the shown items is of each popularity decile, and of what came next.

    Parameters
    ----------
    shares
        Columns of `POPULARITY_SHARES`.
    models
        The models to draw, `TARGETS` apart.
    main, rival
        The models that stand out.
    """
    drawn = [TARGETS, *models]
    rows = shares.filter(pl.col("model").is_in(drawn))
    return (
        alt.Chart(inline(rows, "model", "decile", "share"))
        .mark_line(point=alt.OverlayMarkDef(size=45, filled=True))
        .encode(
            x=alt.X("decile:O", title="Popularity decile in train", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("share:Q", title="Share of the items", axis=alt.Axis(format=".0%")),
            color=model_colour(drawn, main, rival, legend()),
            shape=model_shape(drawn, legend()),
            strokeDash=alt.condition(
                alt.datum["model"] == TARGETS, alt.value([5, 3]), alt.value([1, 0])
            ),
        )
        .properties(title="How popular is what is shown?", width=WIDTH, height=200)
    )
