"""Paired comparisons go in; the difference of any two models, seen from either, comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF

_KEYS = ("metric", "k", "target_type", "model", "other")
_VALUES = ("difference", "low", "high", "p_holm", "significant")


@dataclass(frozen=True)
class Difference:
    """Mean of one model minus that of another, with its 95 % interval and test.

    Attributes
    ----------
    value
        The difference.
    low, high
        Its interval; None with predictions of one session only.
    p_holm, significant
        Of the paired bootstrap after Holm's adjustment; None likewise.
    """

    value: float
    low: float | None
    high: float | None
    p_holm: float | None
    significant: bool | None

    def reversed(self) -> "Difference":
        """Return it as the other model sees it."""
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Difference(-self.value, low, high, self.p_holm, self.significant)


@dataclass(frozen=True)
class Differences:
    """All compared pairs."""

    n_pairs: int
    _by_key: Mapping[tuple, Difference] = field(repr=False)

    @classmethod
    def read(cls, comparisons: pl.DataFrame) -> "Differences":
        """Take the columns of `COMPARISONS`."""
        return cls(
            comparisons.select("model", "other").unique().height,
            {
                row[: len(_KEYS)]: Difference(*row[len(_KEYS) :])
                for row in comparisons.filter(pl.col("difference").is_not_null())
                .select(*_KEYS, *_VALUES)
                .iter_rows()
            },
        )

    def between(
        self,
        model: str,
        other: str,
        metric: str = "recall",
        k: int = HEADLINE_CUTOFF,
        target_type: str | None = None,
    ) -> Difference | None:
        """Return what `model` has more than `other`; None where they were not compared.

        Overall without a target type.
        """
        found = self._by_key.get((metric, k, target_type, model, other))
        if found is not None:
            return found
        found = self._by_key.get((metric, k, target_type, other, model))
        return None if found is None else found.reversed()
