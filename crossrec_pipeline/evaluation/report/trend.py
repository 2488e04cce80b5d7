"""Records of reports go in; how the figures went from one to the next comes out."""

from collections.abc import Sequence

import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.report.blocks import Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.drawings import drawing
from crossrec_pipeline.evaluation.report.history import Recorded, ReportRecord
from crossrec_pipeline.evaluation.report.numbers import decimal, interval, moment
from crossrec_pipeline.evaluation.report.standing import POPULARITY, Standing
from crossrec_pipeline.evaluation.slices import ORACLE

_ROWS = 10
_NOT_RECORDED = Recorded(None, None, None)


def trend_section(records: Sequence[ReportRecord], order: Standing) -> Section | None:
    """Show the recorded figures of the main model, its rival and what bounds them."""
    if not records:
        return None
    from crossrec_pipeline.evaluation.charts import recall_trend

    given = [*order.pair, POPULARITY, ORACLE]
    models = [
        model
        for model in dict.fromkeys(given)
        if any(model in record.figures for record in records)
    ]
    rows = [
        {"report": number, "model": model, **vars(record.figures[model]["recall"])}
        for number, record in enumerate(records, start=1)
        for model in models
        if "recall" in record.figures.get(model, {})
    ]
    columns = {"report": pl.Int64(), "model": pl.String()} | dict.fromkeys(
        ("value", "low", "high"), pl.Float64()
    )
    frame = pl.DataFrame(rows, schema=pl.Schema(columns))
    return Section(
        "history",
        "Earlier reports",
        [
            Paragraph(
                "One record a report whose figures are new; this one is the last. Figures of "
                "different data are not comparable: equal sessions have equal versions."
            ),
            drawing(
                recall_trend(frame, models, order.main, order.rival),
                f"Recall@{HEADLINE_CUTOFF} with its 95 % interval, oldest report first.",
            ),
            _table(records, order),
        ],
    )


def _table(records: Sequence[ReportRecord], order: Standing) -> Table:
    header = ["Report", "Made", "Sessions", "Code"]
    for model in order.pair:
        header += [f"{model} Recall@{HEADLINE_CUTOFF}", "95 % interval", f"MRR@{HEADLINE_CUTOFF}"]
    rows = []
    for number, record in list(enumerate(records, start=1))[-_ROWS:]:
        row = [
            str(number),
            moment(record.time),
            record.data_versions.get("sessions/sequences", "–"),
            record.code_version,
        ]
        for model in order.pair:
            figures = record.figures.get(model, {})
            recall = figures.get("recall", _NOT_RECORDED)
            row += [
                decimal(recall.value),
                interval(recall.low, recall.high),
                decimal(figures.get("mrr", _NOT_RECORDED).value),
            ]
        rows.append(row)
    return Table(f"The last {len(rows)} reports", header, rows, 4)
