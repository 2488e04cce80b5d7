"""Figures go in; every metric at every cut-off comes out, with what each of them means."""

import polars as pl

from crossrec_pipeline.evaluation.measures import CUTOFFS
from crossrec_pipeline.evaluation.metrics import METRICS
from crossrec_pipeline.evaluation.report.blocks import Fold, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.drawings import drawing
from crossrec_pipeline.evaluation.report.figures import METRIC_NAMES, Figure, Figures
from crossrec_pipeline.evaluation.report.standing import Standing

_MEANINGS = {
    "precision": "the share of the first K items that is relevant",
    "recall": "the share of the relevant items that stands among the first K",
    "f1": "the harmonic mean of both: 2 hits / (K + number of relevant items)",
    "mrr": "1 / rank of the first relevant item, 0 where it stands behind the first K",
    "ndcg": "hits weighted by 1 / log2(1 + rank), divided by the best such sum that is possible",
    "map": "j / rank summed over hits, the j-th best placed, divided by the most hits possible",
}


def metric_section(metrics: pl.DataFrame, figures: Figures, order: Standing) -> Section:
    """Draw recall over K, and list all metrics."""
    from crossrec_pipeline.evaluation.charts import recall_curve

    return Section(
        "metrics",
        "All metrics",
        [
            drawing(
                recall_curve(metrics, order.shown, order.main, order.rival),
                "How Recall@K grows with the number K of items that are shown. Thin grey lines "
                "are the models that are not named.",
            ),
            Paragraph("With one true next item, Precision@K cannot exceed 1/K: 0.100 at K = 10."),
            Fold(
                "All metrics at K = 5, 10 and 20, and what they mean",
                [
                    _explained(),
                    _all(figures, order, "next", "Next item: the one that came next is relevant"),
                    _all(
                        figures,
                        order,
                        "rest",
                        "Rest of the session: all distinct items still to come are relevant",
                    ),
                    _macro(figures, order),
                ],
            ),
        ],
    )


def _explained() -> Table:
    rows = [[f"{METRIC_NAMES[metric]}@K", _MEANINGS[metric]] for metric in METRICS]
    return Table(
        "What each metric says of one prediction; reported is the mean over all predictions",
        ["Metric", "Of one prediction"],
        rows,
        2,
    )


def _all(figures: Figures, order: Standing, relevance: str, caption: str) -> Table:
    rows, marked = [], set()
    for model in order.models:
        for k in CUTOFFS:
            row = [model, str(k)]
            for metric in METRICS:
                figure = Figure(metric, k, relevance)
                if model in figures.best(order.trained, figure):
                    marked.add((len(rows), len(row)))
                row.append(figures.text(model, figure))
            rows.append(row)
    header = ["Model", "K", *(METRIC_NAMES[metric] for metric in METRICS)]
    return Table(caption, header, rows, marked=frozenset(marked))


def _macro(figures: Figures, order: Standing) -> Table:
    averages = {"overall": "micro", "macro": "macro"}
    shown = [
        Figure(metric, slice=slice_) for metric in ("recall", "mrr", "ndcg") for slice_ in averages
    ]
    header = [f"{METRIC_NAMES[of.metric]}@{of.k} {averages[of.slice]}" for of in shown]
    rows, marked = [], set()
    for at, model in enumerate(order.models):
        for column, figure in enumerate(shown):
            if model in figures.best(order.trained, figure):
                marked.add((at, column + 1))
        rows.append([model, *(figures.text(model, figure) for figure in shown)])
    return Table(
        "Micro average (every prediction counts alike, so that the most frequent type decides) and "
        "macro average (the mean over the types of the next item that occur)",
        ["Model", *header],
        rows,
        marked=frozenset(marked),
    )
