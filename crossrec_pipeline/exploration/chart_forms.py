"""Aggregated frames go in, charts of one size and manner come out: bars, clouds, heat maps."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from crossrec_pipeline.rendering import BLUE, GREY, VERMILION

Chart = alt.Chart | alt.LayerChart | alt.FacetChart

WIDTH = 540
MAX_POINTS = 2_000

_HEIGHT = 330
_CLOUD_HEIGHT = 400
_BAR_STEP = 22
_LINE_LENGTH = 94
_DARK_CELL = 0.66
_SHORT_LABEL = "replace(format(datum.value, '~s'), 'G', 'B')"


def finish(chart: Chart, title: str, subtitle: str, height: int = _HEIGHT) -> Chart:
    """Give a chart its title, a subtitle that says what was counted, and the common size."""
    return chart.properties(
        title=alt.TitleParams(title, subtitle=textwrap.wrap(subtitle, _LINE_LENGTH)),
        width=WIDTH,
        height=height,
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        padding=8,
    )


def ranked_bars(
    data: pl.DataFrame, *, label: str, value: str, axis: str, title: str, subtitle: str
) -> Chart:
    """Draw one horizontal bar a row, in the frame's order, with its value written at the end.

    From a million on, values are written shortened (`2.32 M`).
    """
    written = [short(number) for number in data[value].to_list()]
    base = alt.Chart(inline(data.with_columns(pl.Series("text", written)))).encode(
        y=alt.Y(f"{label}:N", sort=data[label].to_list(), title=None, axis=_long_labels())
    )
    x = alt.X(
        f"{value}:Q",
        title=axis,
        axis=short_axis(),
        scale=alt.Scale(domain=[0, _highest(data, value) * 1.16]),  # room for the number
    )
    bars = base.mark_bar(color=BLUE).encode(x=x)
    numbers = base.mark_text(align="left", dx=4).encode(x=x, text="text:N")
    return finish(alt.layer(bars, numbers), title, subtitle, 110 + _BAR_STEP * data.height)


def histogram_bars(
    data: pl.DataFrame,
    *,
    start: str,
    end: str,
    count: str,
    x: str,
    y: str,
    title: str,
    subtitle: str,
    x_format: str | None = None,
) -> Chart:
    """Draw one bar from `start` to `end` a row, as high as `count`."""
    chart = (
        alt.Chart(inline(data))
        .mark_bar(color=BLUE, binSpacing=1)
        .encode(
            x=alt.X(
                f"{start}:Q",
                bin="binned",
                title=x,
                # A format of its own would write 10 as 1e+1.
                axis=alt.Axis(format=x_format or alt.Undefined),
                scale=alt.Scale(zero=False, nice=False),
            ),
            x2=f"{end}:Q",
            y=alt.Y(f"{count}:Q", title=y, axis=short_axis()),
        )
    )
    return finish(chart, title, subtitle)


def cloud(
    data: pl.DataFrame,
    *,
    x: alt.X,
    y: alt.Y,
    title: str,
    subtitle: str,
    line: pl.DataFrame | None = None,
) -> Chart:
    """Draw one translucent dot a row, and a dashed line of reference.

    `line` holds the columns of `x` and `y` at the line's ends.
    """
    dots = alt.Chart(inline(data)).mark_circle(color=BLUE, size=16, opacity=0.6).encode(x=x, y=y)
    if line is None:
        return finish(dots, title, subtitle, _CLOUD_HEIGHT)
    ends = alt.Chart(inline(line))
    rule = ends.mark_line(color=VERMILION, strokeDash=[6, 4]).encode(x=x, y=y)
    return finish(alt.layer(dots, rule), title, subtitle, _CLOUD_HEIGHT)


def heat_map(
    data: pl.DataFrame,
    *,
    x: str,
    y: str,
    value: str,
    x_order: Sequence[Any],
    y_order: Sequence[Any],
    x_title: str | None,
    y_title: str | None,
    scale: alt.Scale,
    value_format: str | None,
    title: str,
    subtitle: str,
    cell_height: int = 30,
) -> Chart:
    """Draw one cell a row, its value written in it where there is a `value_format`.

    Where the value is null the cell is grey and says "–". Colours are dark from `_DARK_CELL` of
    the scale's end on; values are written white there, else black.
    """
    end = max(abs(float(bound)) for bound in scale.to_dict()["domain"])
    shown = data.with_columns(
        pl.when(pl.col(value).abs() > _DARK_CELL * end)
        .then(pl.lit("#ffffff"))
        .otherwise(pl.lit("#000000"))
        .alias("ink")
    )
    tilted = len(x_order) > 8 and max(len(str(name)) for name in x_order) > 3
    base = alt.Chart(inline(shown)).encode(
        x=alt.X(
            f"{x}:O",
            sort=list(x_order),
            title=x_title,
            axis=alt.Axis(labelAngle=-45 if tilted else 0, labelLimit=130),
        ),
        y=alt.Y(f"{y}:O", sort=list(y_order), title=y_title, axis=_long_labels()),
    )
    # Numbers in the cells need no legend.
    gradient = None if value_format else alt.Legend(orient="bottom", gradientLength=220)
    cells = base.mark_rect(stroke="white", strokeWidth=0.5).encode(
        color=alt.condition(
            f"isValid(datum[{value!r}])",
            alt.Color(
                f"{value}:Q",
                title=value.capitalize(),
                scale=scale,
                legend=gradient,
            ),
            alt.value(GREY),
        )
    )
    height = (150 if tilted or gradient else 110) + cell_height * len(y_order)
    if value_format is None:
        return finish(cells, title, subtitle, height)
    known = (
        base.transform_filter(f"isValid(datum[{value!r}])")
        .mark_text(fontSize=10 if len(x_order) > 8 else 12)
        .encode(
            text=alt.Text(f"{value}:Q", format=value_format), color=alt.Color("ink:N", scale=None)
        )
    )
    unknown = (
        base.transform_filter(f"!isValid(datum[{value!r}])")
        .mark_text(fontSize=12)
        .encode(text=alt.value("–"), color=alt.value("#000000"))
    )
    return finish(
        alt.layer(cells, known, unknown).resolve_scale(color="independent"), title, subtitle, height
    )


def grouped_bars(
    data: pl.DataFrame,
    *,
    label: str,
    value: str,
    text: str,
    group: str,
    labels: Sequence[str],
    colours: dict[str, str],
    y_title: str | None,
    axis: str,
    title: str,
    subtitle: str,
) -> Chart:
    """Draw shares as horizontal bars, one for each group under every label.

    `text` is the column written at the end of the bar; `colours` gives groups, in order.
    """
    groups = list(colours)
    base = alt.Chart(inline(data)).encode(
        y=alt.Y(f"{label}:N", sort=list(labels), title=y_title, axis=_long_labels()),
        yOffset=alt.YOffset(f"{group}:N", sort=groups),
    )
    x = alt.X(
        f"{value}:Q",
        title=axis,
        axis=alt.Axis(format="~%", tickCount=6),
        scale=alt.Scale(domain=[0, _highest(data, value) * 1.3]),
    )
    bars = base.mark_bar().encode(x=x, color=group_colour(group, colours))
    numbers = base.mark_text(align="left", dx=4).encode(x=x, text=f"{text}:N")
    height = 150 + 20 * len(groups) * len(labels)
    return finish(alt.layer(bars, numbers), title, subtitle, height)


def group_colour(group: str, colours: dict[str, str]) -> alt.Color:
    """Colour by group, with a legend below."""
    return alt.Color(
        f"{group}:N",
        title=None,
        sort=list(colours),
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=alt.Legend(orient="bottom", symbolSize=90, columns=6),
    )


def inline(data: pl.DataFrame) -> alt.InlineData:
    """Put rows into the chart itself."""
    return alt.InlineData(values=data.to_dicts())


def short(number: float) -> str:
    """Write a number with thousands commas, from a million on with three digits and a letter."""
    for size, letter in ((1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:#.3g}".rstrip(".") + f" {letter}"
    return f"{number:,.10g}"


def short_axis() -> alt.Axis:
    """Label an axis 1k, 1M, 1B (d3 would write giga)."""
    return alt.Axis(labelExpr=_SHORT_LABEL, tickCount=6)


def log_scale() -> alt.Scale:
    """Scale by logarithm, with room at both ends."""
    return alt.Scale(type="log", nice=False, padding=8)


def log_axis(values: pl.Series) -> alt.Axis:
    """Label an axis at the powers of ten around `values`, below two decades at 2 and 5 as well."""
    numbers = values.to_numpy()
    low, high = math.floor(math.log10(numbers.min())), math.ceil(math.log10(numbers.max()))
    steps = (1,) if high - low > 2 else (1, 2, 5)
    ticks = [step * 10.0**power for power in range(low, high + 1) for step in steps]
    shown = [tick for tick in ticks if numbers.min() <= tick * 1.2 and tick <= numbers.max() * 1.2]
    return alt.Axis(values=shown, labelExpr=_SHORT_LABEL)


def _highest(data: pl.DataFrame, column: str) -> float:
    return float(data[column].to_numpy().max()) or 1.0


def _long_labels() -> alt.Axis:
    return alt.Axis(labelLimit=210)
