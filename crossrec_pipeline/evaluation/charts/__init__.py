"""Sliced metrics or a training history go in, Altair charts come out; `rendering` draws them."""

from crossrec_pipeline.evaluation.charts.context_lines import context_lines
from crossrec_pipeline.evaluation.charts.curve import recall_curve
from crossrec_pipeline.evaluation.charts.differences import differences_from_main
from crossrec_pipeline.evaluation.charts.forms import Chart
from crossrec_pipeline.evaluation.charts.models import recall_by_model, recall_by_type
from crossrec_pipeline.evaluation.charts.popularity import popularity_lines
from crossrec_pipeline.evaluation.charts.training import training_curves, trials_chart
from crossrec_pipeline.evaluation.charts.transitions import (
    transition_difference_map,
    transition_heat_map,
)
from crossrec_pipeline.evaluation.charts.trend import recall_trend

__all__ = [
    "Chart",
    "context_lines",
    "differences_from_main",
    "popularity_lines",
    "recall_by_model",
    "recall_by_type",
    "recall_curve",
    "recall_trend",
    "training_curves",
    "transition_difference_map",
    "transition_heat_map",
    "trials_chart",
]
