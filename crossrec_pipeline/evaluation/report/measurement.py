"""The context goes in; how the figures were made comes out, in sentences."""

from crossrec_pipeline.evaluation.report.blocks import Paragraph, Section
from crossrec_pipeline.evaluation.report.context import ReportContext
from crossrec_pipeline.evaluation.report.numbers import moment
from crossrec_pipeline.evaluation.report.standing import Standing
from crossrec_pipeline.evaluation.slices import CHANCE


def measurement_section(context: ReportContext, order: Standing) -> Section:
    """Say what was cut, predicted, ranked and drawn."""
    n_items = sum(context.n_items_by_type.values())
    sentences = [
        "The log is cut in time, at the same moments for all types: train before "
        f"{moment(context.validation_start)}, validation from then on, test from "
        f"{moment(context.test_start)} on. Sessions that straddle a cut are left out.",
        "Every event of a test session after its first is predicted from the earlier events "
        f"of that session and nothing else: {order.n_predictions:,} predictions.",
        f"Each time all {n_items:,} items known from train are ranked; none are sampled. "
        "Items seen in the session stay in the ranking.",
        "Ties count against the model: a rank is the number of items that score at least as "
        "high as the true one.",
        f"{CHANCE.capitalize()} is the exact expectation under a random order of all items. "
        "The 95 % intervals are a bootstrap over test sessions; they do not cover what another "
        "training seed would change.",
        *context.notes,
    ]
    return Section(
        "measurement", "How it was measured", [Paragraph(sentence) for sentence in sentences]
    )
