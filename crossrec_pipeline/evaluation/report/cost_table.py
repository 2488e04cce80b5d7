"""Costs go in; sizes and times of all models come out, for people to read."""

from collections.abc import Sequence

from crossrec_pipeline.evaluation.costs import LATENCY_TOP_K, N_TIMED_SESSIONS, Cost
from crossrec_pipeline.evaluation.report.blocks import Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.numbers import NOTHING
from crossrec_pipeline.evaluation.report.standing import Standing


def cost_section(costs: Sequence[Cost], order: Standing) -> Section | None:
    """Show what each model costs; None where nothing was measured."""
    by_model = {cost.model: cost for cost in costs}
    rows = [_row(by_model[model]) for model in order.models if model in by_model]
    if not rows:
        return None
    return Section(
        "costs",
        "Costs",
        [
            Paragraph(
                "Measured on the machine that ranked. A single session's time is that of its "
                f"first {LATENCY_TOP_K} items, asked for one session after the other: the median "
                f"and the 95 % quantile of {N_TIMED_SESSIONS} sessions of test."
            ),
            Table(
                "Size and speed",
                [
                    "Model",
                    "Bundle",
                    "Training",
                    "Predictions ranked a second",
                    "One session, median",
                    "One session, 95 %",
                ],
                rows,
            ),
        ],
    )


def _row(cost: Cost) -> list[str]:
    return [
        cost.model,
        _size(cost.bundle_bytes),
        NOTHING if cost.fit_seconds is None else _duration(cost.fit_seconds),
        f"{cost.predictions_per_second:,.0f}",
        _milliseconds(cost.latency_p50_ms),
        _milliseconds(cost.latency_p95_ms),
    ]


def _size(n_bytes: int) -> str:
    if n_bytes < 1_000_000:
        return f"{n_bytes / 1000:.0f} kB"
    return f"{n_bytes / 1_000_000:,.1f} MB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:,.1f} min"


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f} ms"
