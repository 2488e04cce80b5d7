"""Differences of the main model from every other go in; one point with its interval each."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from crossrec_pipeline.evaluation.charts.forms import WIDTH, Chart
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.rendering import BLUE, GREY

Row = tuple[str, float, float | None, float | None, bool | None]
"""The other model, difference, ends of its interval, and whether it is significant."""


def differences_from_main(rows: Sequence[Row], main: str) -> Chart:
    """Draw Recall@20 of the main model minus that of each other; hollow is not significant.

    Parameters
    ----------
    rows
        In the order from top to bottom.
    main
        The main model's name.
    """
    values: list[dict[str, Any]] = [
        {"other": other, "difference": value, "low": low, "high": high, "significant": significant}
        for other, value, low, high, significant in rows
    ]
    y = alt.Y("other:N", sort=[row[0] for row in rows], title=None)
    base = alt.Chart(alt.InlineData(values=values))
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=GREY).encode(x="zero:Q")
    intervals = base.mark_rule(color=BLUE, strokeWidth=2).encode(
        x=alt.X("low:Q", title=f"Recall@{HEADLINE_CUTOFF} more than this model"), x2="high:Q", y=y
    )
    points = base.mark_point(color=BLUE, size=70, opacity=1).encode(
        x="difference:Q",
        y=y,
        fill=alt.value(BLUE),
        fillOpacity=alt.condition("datum.significant", alt.value(1), alt.value(0)),
    )
    return alt.layer(zero, intervals, points).properties(
        title=f"{main} compared with the other models", width=WIDTH, height=alt.Step(22)
    )
