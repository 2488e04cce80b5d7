"""Figures go in; the headline of all models comes out, for a page and for a terminal."""

from collections.abc import Sequence

import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE, HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.report.blocks import Fold, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.context import ReportContext
from crossrec_pipeline.evaluation.report.drawings import drawing
from crossrec_pipeline.evaluation.report.figures import METRIC_NAMES, Figure, Figures
from crossrec_pipeline.evaluation.report.model_meanings import model_meanings
from crossrec_pipeline.evaluation.report.numbers import share_of
from crossrec_pipeline.evaluation.report.standing import Standing
from crossrec_pipeline.evaluation.slices import CHANCE, ORACLE

_MACRO = Figure(slice="macro")


def headline_table(metrics: pl.DataFrame) -> str:
    """Return the headline as plain text for a terminal, one line a model.

    Parameters
    ----------
    metrics
        Columns of `SLICED_METRICS`, of one or several models.
    """
    figures = Figures.read(metrics)
    table = _headline(figures, figures.models)
    lines = [table.header, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    aligned = [
        "  ".join(
            cell.ljust(width) if i < table.n_text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([aligned[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *aligned[1:]])


def headline_section(
    metrics: pl.DataFrame, figures: Figures, order: Standing, context: ReportContext
) -> Section:
    """Show every model's headline figures, the best first."""
    # Altair and its renderer take most of a second to import: only a report pays for them.
    from crossrec_pipeline.evaluation.charts import recall_by_model

    meanings = model_meanings(order.models)
    return Section(
        "headline",
        "All models",
        [
            Paragraph(
                f"{order.n_predictions:,} predictions of the next item, each out of "
                f"{sum(context.n_items_by_type.values()):,} items, from the session so far. "
                f"Recall@{HEADLINE_CUTOFF} is the share of them whose true next item is among the "
                f"first {HEADLINE_CUTOFF} a model names; MRR and NDCG also ask how far up it "
                "stands. All figures lie between 0 and 1, and more is better. The best figure of "
                "a trained model is bold."
            ),
            *(Paragraph(text) for text in _cold(context)),
            _headline(figures, order.models, order.trained),
            drawing(
                recall_by_model(metrics, order.models, order.main, order.rival),
                f"Share of the predictions whose true next item is among a model's first "
                f"{HEADLINE_CUTOFF}. The thin line is the 95 % interval.",
            ),
            *([_oracle_share(figures, order)] if ORACLE in figures.models else []),
            *([Fold("What each model goes by", [meanings])] if meanings.rows else []),
        ],
    )


def _cold(context: ReportContext) -> list[str]:
    test = next((part for part in context.parts if part.part == "test"), None)
    if test is None or not test.n_cold_events:
        return []
    return [
        f"{test.n_cold_events:,} events of test are left out, since train holds their items "
        f"too seldom or not at all; {test.n_events:,} are left."
    ]


def _headline(figures: Figures, models: Sequence[str], ranked: Sequence[str] = ()) -> Table:
    """Show each metric beside its interval; the best of `ranked` are marked."""
    shown = [Figure(metric, k) for metric, k in HEADLINE]
    header = ["Model"]
    for metric, k in HEADLINE:
        header += [f"{METRIC_NAMES[metric]}@{k}", "95 % interval"]
    rows, marked = [], set()
    best = {figure: figures.best(ranked, figure) for figure in (*shown, _MACRO)}
    for at, model in enumerate(models):
        row = [model]
        for figure in shown:
            if model in best[figure]:
                marked.add((at, len(row)))
            row += [figures.text(model, figure), figures.interval(model, figure)]
        if model in best[_MACRO]:
            marked.add((at, len(row)))
        rows.append([*row, figures.text(model, _MACRO)])
    header.append(f"Recall@{HEADLINE_CUTOFF} macro")
    return Table("Next item, all types", header, rows, marked=frozenset(marked))


def _oracle_share(figures: Figures, order: Standing) -> Fold:
    shown = [Figure(metric, k) for metric, k in HEADLINE]
    rows = [
        [
            model,
            *(share_of(figures.number(model, of), figures.number(ORACLE, of)) for of in shown),
        ]
        for model in order.models
        if model not in (CHANCE, ORACLE)
    ]
    header = ["Model", *(f"{METRIC_NAMES[metric]}@{k}" for metric, k in HEADLINE)]
    table = Table("Share of the oracle reached", header, rows)
    return Fold("How much of the best that is possible each model reaches", [table])
