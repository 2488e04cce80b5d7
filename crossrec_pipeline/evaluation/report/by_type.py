"""Figures go in; what they are by type of the next item and by transition comes out."""

from collections.abc import Sequence

import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF, WITHIN_TYPE
from crossrec_pipeline.evaluation.report.blocks import Gallery, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.drawings import drawing
from crossrec_pipeline.evaluation.report.figures import Figure, Figures
from crossrec_pipeline.evaluation.report.standing import Standing


def type_section(
    metrics: pl.DataFrame, figures: Figures, order: Standing, types: Sequence[str]
) -> Section:
    """Show all models by type of the next item."""
    from crossrec_pipeline.evaluation.charts import recall_by_type

    k = HEADLINE_CUTOFF
    return Section(
        "types",
        "By type of the next item",
        [
            Paragraph(
                "Among all items, the model must also find the right type; among its type alone, "
                "only items of the next item's type are ranked, which is easier. n counts the "
                "predictions."
            ),
            _by_type(figures, order, types, "recall", f"Recall@{k} among all items"),
            drawing(
                recall_by_type(metrics, order.shown, order.main, order.rival),
                f"Recall@{k} among all items, one panel for each type of the next item.",
            ),
            _by_type(figures, order, types, WITHIN_TYPE, f"Recall@{k} among its type"),
        ],
    )


def transition_section(
    metrics: pl.DataFrame, figures: Figures, order: Standing, types: Sequence[str]
) -> Section:
    """Show the main model by transition, and where its rival is better or worse."""
    from crossrec_pipeline.evaluation.charts import transition_difference_map, transition_heat_map

    k, main = HEADLINE_CUTOFF, order.main
    maps = [
        drawing(
            transition_heat_map(metrics, main),
            f"Recall@{k} of {main} among all items; the darker, the higher. n counts the "
            "predictions.",
        )
    ]
    if order.rival is not None:
        maps.append(
            drawing(
                transition_difference_map(metrics, main, order.rival),
                f"Recall@{k} of {main} minus that of {order.rival}: blue where {main} is ahead, "
                "orange where it is behind.",
            )
        )
    return Section(
        "transitions",
        "By transition",
        [
            Paragraph(
                f"Recall@{k} of {main} by the types of the last seen item (rows) and of the next "
                "item (columns); the number of predictions stands in brackets. Off the diagonal "
                "the next item is of another type than the last."
            ),
            Gallery(maps),
            _transitions(figures, types, main),
        ],
    )


def _by_type(
    figures: Figures, order: Standing, types: Sequence[str], metric: str, caption: str
) -> Table:
    shown = [Figure(metric, slice="target_type", target_type=type_) for type_ in types]
    header = [
        f"{type_} (n {figures.n(order.main, figure):,})"
        for type_, figure in zip(types, shown, strict=True)
    ]
    rows, marked = [], set()
    for at, model in enumerate(order.models):
        for column, figure in enumerate(shown):
            if model in figures.best(order.trained, figure):
                marked.add((at, column + 1))
        rows.append([model, *(figures.text(model, figure) for figure in shown)])
    return Table(caption, ["Model", *header], rows, marked=frozenset(marked))


def _transitions(figures: Figures, types: Sequence[str], model: str) -> Table:
    def cell(source: str, target: str) -> str:
        figure = Figure(slice="transition", source_type=source, target_type=target)
        return f"{figures.text(model, figure)} ({figures.n(model, figure):,})"

    return Table(
        f"Recall@{HEADLINE_CUTOFF} of {model} by transition (n)",
        ["From, to", *types],
        [[source, *(cell(source, target) for target in types)] for source in types],
    )
