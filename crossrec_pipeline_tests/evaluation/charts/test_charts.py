import base64
import struct

import polars as pl
import pytest

from crossrec_pipeline.evaluation import charts
from crossrec_pipeline.evaluation.charts.forms import colour
from crossrec_pipeline.evaluation.popularity_shares import POPULARITY_SHARES, TARGETS
from crossrec_pipeline.rendering import BLUE, ORANGE, png_markdown, svg
from crossrec_pipeline_tests.evaluation.sliced_metrics import (
    HISTORY,
    contextual_metrics,
    sliced_metrics,
)

METRICS = sliced_metrics()
MODELS = ["oracle", "gru4rec", "markov", "chance"]
CAST = (MODELS, "gru4rec", "markov")
SHARES = pl.DataFrame(
    [(model, decile, 0.1) for model in (TARGETS, "gru4rec") for decile in range(1, 11)],
    schema=pl.Schema(POPULARITY_SHARES),
    orient="row",
)
TREND = pl.DataFrame(
    {
        "report": [1, 2],
        "model": ["gru4rec"] * 2,
        "value": [0.4, 0.5],
        "low": [0.3, 0.4],
        "high": [0.5, 0.6],
    }
)
CHARTS = {
    "Recall@20 of the next item": charts.recall_by_model(METRICS, *CAST),
    "Recall@20 by the type of the next item": charts.recall_by_type(METRICS, *CAST),
    "Recall@20 of gru4rec by transition": charts.transition_heat_map(METRICS, "gru4rec"),
    "gru4rec minus markov by transition": charts.transition_difference_map(
        METRICS, "gru4rec", "markov"
    ),
    "Recall of the next item over K": charts.recall_curve(METRICS, *CAST),
    "gru4rec compared with the other models": charts.differences_from_main(
        [("markov", 0.1, 0.05, 0.15, True), ("popularity", -0.01, -0.02, 0.01, False)], "gru4rec"
    ),
    "By place in the session": charts.context_lines(
        contextual_metrics(),
        "position",
        ("By place in the session", "Events seen so far"),
        ["gru4rec", "markov"],
        "gru4rec",
    ),
    "How popular is what is shown?": charts.popularity_lines(
        SHARES, ["gru4rec"], "gru4rec", "markov"
    ),
    "Recall@20 by report": charts.recall_trend(TREND, ["gru4rec"], "gru4rec", None),
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
def test_charts_are_narrow_enough_for_a_telephone(title: str):
    width = float(svg(CHARTS[title]).split('width="')[1].split('"')[0])

    assert width < 480  # 343 pixels are there: letters of 12 become 8.6 at the least


@pytest.mark.parametrize("title", CHARTS)
def test_png_markdown_carries_a_small_png(title: str):
    markdown = png_markdown(CHARTS[title])

    head, _, data = markdown.partition("](data:image/png;base64,")
    assert head.startswith(f"![{title}")
    image = base64.b64decode(data.removesuffix(")"), validate=True)
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert image.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack_from(">II", image, 16)
    assert 400 < width < 1000
    assert 100 < height < 1000
    assert len(image) < 60_000


@pytest.mark.parametrize("title", CHARTS)
def test_equal_input_gives_equal_svg(title: str):
    assert svg(CHARTS[title]) == svg(CHARTS[title])


def test_bars_show_each_models_value_in_the_order_given():
    recall = METRICS.filter(slice="overall", relevance="next", metric="recall", k=20)
    drawn = svg(CHARTS["Recall@20 of the next item"])

    for value in recall["value"]:
        assert f">{value:.3f}</text>" in drawn
    places = [drawn.index(f">{model}</text>") for model in MODELS]
    assert places == sorted(places)


def test_main_model_and_rival_have_colours_and_all_others_one_in_common():
    main, rival, first, second = (
        colour(name, "gru4rec", "ease") for name in ("gru4rec", "ease", "sknn", "stan")
    )

    assert (main, rival) == (BLUE, ORANGE)
    assert first == second
    assert first not in (main, rival)


def test_the_rival_may_be_popularity_itself():
    assert colour("popularity", "gru4rec", "popularity") == ORANGE


def test_a_curve_of_many_models_names_those_that_are_shown():
    drawn = svg(charts.recall_curve(METRICS, ["gru4rec", "oracle"], "gru4rec", None))

    assert ">gru4rec</text>" in drawn
    assert ">markov</text>" not in drawn


def test_a_transition_without_predictions_is_a_dash_in_the_heat_maps():
    for title in ("Recall@20 of gru4rec by transition", "gru4rec minus markov by transition"):
        drawn = svg(CHARTS[title])
        assert ">–</text>" in drawn
        assert ">n 0</text>" in drawn


def test_a_difference_that_may_be_luck_is_hollow():
    drawn = svg(CHARTS["gru4rec compared with the other models"])

    assert drawn.count('fill-opacity="0"') == 1
    assert drawn.count('fill-opacity="1"') == 1


def test_weekdays_are_abbreviated():
    drawn = svg(
        charts.context_lines(
            contextual_metrics(), "weekday", ("By weekday", "Weekday"), ["gru4rec"], "gru4rec"
        )
    )

    assert ">Thu</text>" in drawn  # the first of January 1970
    assert "Thursday" not in drawn


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
        charts.recall_by_model(nulls, *CAST),
        charts.recall_by_type(nulls, *CAST),
        charts.transition_heat_map(nulls, "gru4rec"),
        charts.transition_difference_map(nulls, "gru4rec", "markov"),
        charts.recall_curve(nulls, *CAST),
        charts.differences_from_main([], "gru4rec"),
    ):
        assert svg(chart).startswith("<svg")
