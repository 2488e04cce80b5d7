"""The main model's training history goes in; its curves and a table come out."""

from crossrec_pipeline.evaluation.report.blocks import Fold, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.context import ReportContext
from crossrec_pipeline.evaluation.report.drawings import drawing
from crossrec_pipeline.evaluation.report.numbers import decimal


def training_section(context: ReportContext) -> Section | None:
    """Show loss and validation by epoch; None for a model without epochs."""
    if not context.training:
        return None
    from crossrec_pipeline.evaluation.charts import training_curves

    rows = [
        [f"{row['epoch']:g}", decimal(row.get("loss")), decimal(row.get("recall_at_20"))]
        for row in context.training
    ]
    measured = [row for row in context.training if "recall_at_20" in row]
    best = max(measured, key=lambda row: row["recall_at_20"], default=None)
    words = "The loss is the mean cross-entropy of a training step's predictions, in nats."
    if best is not None:
        words += (
            f" The weights of epoch {best['epoch']:g} are kept, the best on validation. Test was "
            "not looked at."
        )
    table = Table("By epoch", ["Epoch", "Training loss", "Validation Recall@20"], rows)
    return Section(
        "training",
        f"Training of {context.main_model}",
        [
            Paragraph(words),
            drawing(
                training_curves(context.training),
                "Training loss and validation Recall@20 of each epoch. The vertical axes do not "
                "begin at 0.",
            ),
            Fold("The same in figures", [table]),
        ],
    )
