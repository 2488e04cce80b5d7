import base64
import struct

import polars as pl
import pytest

from crossrec_pipeline.evaluation import charts
from crossrec_pipeline.rendering import png_markdown, svg
from crossrec_pipeline_tests.evaluation.sliced_metrics import HISTORY, sliced_metrics

METRICS = sliced_metrics()
CHARTS = {
    "Recall@20 of the next item": charts.recall_by_model(METRICS),
    "Recall@20 by the type of the next item": charts.recall_by_type(METRICS),
    "Recall@20 of gru4rec by transition": charts.transition_heat_map(METRICS, "gru4rec"),
    "Recall of the next item over K": charts.recall_curve(METRICS),
    "Training by epoch": charts.training_curves(HISTORY),
}


@pytest.mark.parametrize("title", CHARTS)
def test_svg_follows_the_colour_of_the_text_around_it(title: str):
    drawn = svg(CHARTS[title])

    assert drawn.startswith("<svg")
    assert title in drawn
    assert 'fill="currentColor"' in drawn
    assert 'fill="white"/>' not in drawn.split("role-frame")[0]


@pytest.mark.parametrize("title", CHARTS)
def test_png_markdown_carries_a_small_png(title: str):
    markdown = png_markdown(CHARTS[title])

    head = f"![{title}.](data:image/png;base64,"
    assert markdown.startswith(head)
    image = base64.b64decode(markdown.removeprefix(head).removesuffix(")"), validate=True)
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert image.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack_from(">II", image, 16)
    assert 400 < width < 1000
    assert 150 < height < 1000
    assert len(image) < 60_000


@pytest.mark.parametrize("title", CHARTS)
def test_equal_input_gives_equal_svg(title: str):
    assert svg(CHARTS[title]) == svg(CHARTS[title])


def test_bars_show_each_models_value():
    recall = METRICS.filter(
        pl.col("slice") == "overall",
        pl.col("relevance") == "next",
        pl.col("metric") == "recall",
        pl.col("k") == 20,
    )
    drawn = svg(CHARTS["Recall@20 of the next item"])

    for model, value in recall.select("model", "value").rows():
        assert f">{model}</text>" in drawn
        assert f">{value:.3f}</text>" in drawn


def test_a_transition_without_predictions_is_a_dash_in_the_heat_map():
    drawn = svg(CHARTS["Recall@20 of gru4rec by transition"])

    assert ">–</text>" in drawn
    assert ">n 0</text>" in drawn


def test_a_history_without_validation_has_one_panel():
    without = [{"epoch": row["epoch"], "loss": row["loss"]} for row in HISTORY]

    drawn = svg(charts.training_curves(without))

    assert "Training loss" in drawn
    assert "Validation" not in drawn


def test_charts_of_nothing_measured_are_drawn_empty():
    nulls = METRICS.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("value", "low", "high")
    )

    for chart in (
        charts.recall_by_model(nulls),
        charts.recall_by_type(nulls),
        charts.transition_heat_map(nulls, "gru4rec"),
        charts.recall_curve(nulls),
    ):
        assert svg(chart).startswith("<svg")
