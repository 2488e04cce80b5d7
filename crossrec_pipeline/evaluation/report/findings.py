"""What was found out besides the metrics; each part is shown where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from crossrec_pipeline.evaluation.costs import Cost
from crossrec_pipeline.evaluation.examples import Example
from crossrec_pipeline.evaluation.report.history import ReportRecord


@dataclass(frozen=True)
class Findings:
    """Results beside the metrics.

    Attributes
    ----------
    comparisons
        Columns of `COMPARISONS`.
    list_metrics
        Columns of `LIST_METRICS`.
    popularity
        Columns of `POPULARITY_SHARES`.
    examples
        Predictions to be read one by one.
    costs
        Sizes and times of the models.
    controls
        Columns of `CONTROLS`; without it the report says how to get it.
    history
        Reports so far, oldest first, this one the last.
    """

    comparisons: pl.DataFrame | None = None
    list_metrics: pl.DataFrame | None = None
    popularity: pl.DataFrame | None = None
    examples: Sequence[Example] = ()
    costs: Sequence[Cost] = ()
    controls: pl.DataFrame | None = None
    history: Sequence[ReportRecord] = ()
