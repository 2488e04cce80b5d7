"""The long frame of metrics goes in; its figures by name, as numbers and as text, come out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.report.numbers import decimal, interval
from crossrec_pipeline.evaluation.slices import model_order

METRIC_NAMES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "mrr": "MRR",
    "ndcg": "NDCG",
    "map": "MAP",
}

KEYS = ("model", "relevance", "metric", "k", "slice", "source_type", "target_type", "group")
_VALUES = ("value", "n", "low", "high")


@dataclass(frozen=True)
class Figure:
    """What one figure is about, apart from the model.

    Attributes
    ----------
    metric, k, relevance
        As in `SLICED_METRICS`.
    slice, source_type, target_type, group
        Which predictions.
    """

    metric: str = "recall"
    k: int = HEADLINE_CUTOFF
    relevance: str = "next"
    slice: str = "overall"
    source_type: str | None = None
    target_type: str | None = None
    group: str | None = None


RECALL = Figure()
"""What models are ordered by."""


@dataclass(frozen=True)
class Figures:
    """Values by model and figure; one that is missing or null is None, or a dash as text."""

    models: Sequence[str]
    _by_key: Mapping[tuple, tuple] = field(repr=False)

    @classmethod
    def read(cls, metrics: pl.DataFrame) -> "Figures":
        """Take the columns of `SLICED_METRICS`."""
        return cls(
            model_order(metrics["model"]),
            {
                row[: len(KEYS)]: row[len(KEYS) :]
                for row in metrics.select(*KEYS, *_VALUES).iter_rows()
            },
        )

    def _row(self, model: str, figure: Figure) -> tuple:
        key = (
            model,
            figure.relevance,
            figure.metric,
            figure.k,
            figure.slice,
            figure.source_type,
            figure.target_type,
            figure.group,
        )
        return self._by_key.get(key, (None, 0, None, None))

    def number(self, model: str, figure: Figure = RECALL) -> float | None:
        """Return the value."""
        return self._row(model, figure)[0]

    def n(self, model: str, figure: Figure = RECALL) -> int:
        """Return how many predictions the value is the mean of."""
        return self._row(model, figure)[1]

    def text(self, model: str, figure: Figure = RECALL) -> str:
        """Return the value as it is shown."""
        return decimal(self.number(model, figure))

    def bounds(self, model: str, figure: Figure = RECALL) -> tuple[float | None, float | None]:
        """Return the ends of the 95 % interval."""
        return self._row(model, figure)[2:]

    def interval(self, model: str, figure: Figure = RECALL) -> str:
        """Return the 95 % interval as it is shown."""
        return interval(*self.bounds(model, figure))

    def best(self, models: Iterable[str], figure: Figure = RECALL) -> set[str]:
        """Return the models with the highest value; none where nothing was measured."""
        values = {model: self.number(model, figure) for model in models}
        highest = max((value for value in values.values() if value is not None), default=None)
        return {model for model, value in values.items() if value is not None and value == highest}
