"""One model's ranks go in, its metrics come out: overall, by type, and by transition of types."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation import chance
from crossrec_pipeline.evaluation.metrics import METRICS, Relevant, recall
from crossrec_pipeline.evaluation.metrics.relevant import mean_or_nan
from crossrec_pipeline.models.registry import KINDS
from crossrec_pipeline.sessions.vocabulary import Vocabulary

SLICED_METRICS: dict[str, pl.DataType] = {
    "model": pl.String(),
    "slice": pl.String(),
    "source_type": pl.String(),
    "target_type": pl.String(),
    "relevance": pl.String(),
    "metric": pl.String(),
    "k": pl.Int32(),
    "value": pl.Float64(),
    "n": pl.Int64(),
    "standard_error": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}
"""Long form: one row a model, slice, relevance, metric and cut-off.

`slice` is `overall`, `target_type`, `transition` (both types set) or `macro` (the mean over the
target types that have predictions). `relevance` is `next` (the next item alone) or `rest` (all
distinct items still to come in the session). `n` counts predictions; without any, `value` is null.
`low` and `high` bound the 95 % interval where one was made.
"""

CUTOFFS = (5, 10, 20)
CURVE_CUTOFFS = (1, 2, 3, 5, 10, 20, 50, 100)
"""Further cut-offs of the overall Recall@K of the next item, for its curve."""
HEADLINE_CUTOFF = 20
CHANCE = "chance"
ORACLE = "oracle"
_PLACED = {CHANCE, *KINDS, ORACLE}
WITHIN_TYPE = "recall_within_type"
"""Recall@K of the next item when only the items of its type are ranked."""


@dataclass(frozen=True)
class Interval:
    """A mean, its standard error and its 95 % interval."""

    value: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True)
class _Measure:
    relevance: str
    metric: str
    k: int
    values: np.ndarray
    """One value a prediction, float64 [P]."""


def evaluate(
    model: str,
    ranks: pl.DataFrame,
    item_types: Sequence[str],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Compute all metrics of one model over all slices.

    Parameters
    ----------
    model
        The model's name in the result.
    ranks
        Columns of `RANKS`.
    item_types
        All types, so that a type or transition without predictions has its (null) rows as well.
    n_resamples, seed
        Of the bootstrap that gives the overall Recall@20 of the next item its interval.

    Returns
    -------
    pl.DataFrame
        Columns of `SLICED_METRICS`.

    Raises
    ------
    EvaluationError
        If the ranks hold a type that `item_types` does not name.
    """
    frame = _aggregate(model, ranks, item_types, _measures(ranks))
    if ranks.is_empty():
        return frame
    interval = recall_interval(ranks, HEADLINE_CUTOFF, n_resamples=n_resamples, seed=seed)
    headline = (
        (pl.col("slice") == "overall")
        & (pl.col("relevance") == "next")
        & (pl.col("metric") == "recall")
        & (pl.col("k") == HEADLINE_CUTOFF)
    )
    return frame.with_columns(
        pl.when(headline).then(getattr(interval, name)).alias(name)
        for name in ("standard_error", "low", "high")
    )


def evaluate_chance(ranks: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    """Compute the exact expectation of all metrics under a random order, as model `chance`.

    Parameters
    ----------
    ranks
        The ranks of any model: only what was to be predicted is read, not how it was ranked.
    vocabulary
        The items that are ranked.

    Returns
    -------
    pl.DataFrame
        Columns of `SLICED_METRICS`.
    """
    return _aggregate(CHANCE, ranks, vocabulary.types, _chance_measures(ranks, vocabulary))


def recall_interval(
    ranks: pl.DataFrame, k: int, *, n_resamples: int = 1000, seed: int = 0
) -> Interval:
    """Bootstrap Recall@K of the next item over sessions.

    Whole sessions are drawn with replacement, since the predictions of one session are not
    independent (Efron and Tibshirani, 1993, percentile interval).

    Parameters
    ----------
    ranks
        Columns of `RANKS`, at least one row.
    k
        Cut-off.
    n_resamples
        How many times as many sessions as there are get drawn.
    seed
        Equal seeds give equal intervals.
    """
    if ranks.is_empty():
        raise EvaluationError("There are no predictions to bootstrap. Widen the test period.")
    values = recall.per_prediction(Relevant.next_item(ranks), k)
    _, session = np.unique(ranks["session"].to_numpy(), return_inverse=True)
    totals = np.bincount(session, weights=values)
    counts = np.bincount(session)
    n_sessions = len(counts)
    rng = np.random.default_rng(seed)
    means = np.empty(n_resamples)
    at_once = max(1, 2_000_000 // n_sessions)
    for begin in range(0, n_resamples, at_once):
        size = min(at_once, n_resamples - begin)
        drawn = rng.integers(0, n_sessions, (size, n_sessions), dtype=np.int32)
        means[begin : begin + size] = totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    error = float(means.std(ddof=1)) if n_resamples > 1 else float("nan")
    return Interval(float(values.mean()), error, float(low), float(high))


def model_order(models: Iterable[str]) -> list[str]:
    """Return the distinct models as they are listed.

    Chance first and the oracle last; between them the kinds of the registry in its order, then
    any others in the order given.
    """
    given = list(dict.fromkeys(models))
    order = [CHANCE, *KINDS, *(model for model in given if model not in _PLACED), ORACLE]
    return [model for model in order if model in given]


def _measures(ranks: pl.DataFrame) -> Iterator[_Measure]:
    """Make one measure after the other, so that few arrays of [P] are held at a time."""
    relevants = {
        "next": Relevant.next_item(ranks),
        "rest": Relevant.rest_of_session(ranks),
    }
    for relevance, relevant in relevants.items():
        for metric, per_prediction in METRICS.items():
            for k in _cutoffs(relevance, metric):
                yield _Measure(relevance, metric, k, per_prediction(relevant, k))
    within = Relevant.next_item(ranks, "rank_within_type")
    for k in CUTOFFS:
        yield _Measure("next", WITHIN_TYPE, k, recall.per_prediction(within, k))


def _chance_measures(ranks: pl.DataFrame, vocabulary: Vocabulary) -> Iterator[_Measure]:
    n_relevants = {
        "next": np.ones(ranks.height, dtype=np.int64),
        "rest": ranks["rest_ranks"].list.len().to_numpy().astype(np.int64),
    }
    for relevance, n_relevant in n_relevants.items():
        for metric, expected in chance.EXPECTED.items():
            for k in _cutoffs(relevance, metric):
                values = expected(n_relevant, vocabulary.n_items, k)
                yield _Measure(relevance, metric, k, values)
    type_of_target = vocabulary.type_codes[ranks["target_index"].to_numpy()]
    n_of_type = np.bincount(vocabulary.type_codes, minlength=len(vocabulary.types))[type_of_target]
    for k in CUTOFFS:
        yield _Measure("next", WITHIN_TYPE, k, np.minimum(k, n_of_type) / n_of_type)


def _cutoffs(relevance: str, metric: str) -> tuple[int, ...]:
    return CURVE_CUTOFFS if (relevance, metric) == ("next", "recall") else CUTOFFS


def _aggregate(
    model: str, ranks: pl.DataFrame, item_types: Sequence[str], measures: Iterator[_Measure]
) -> pl.DataFrame:
    slicer = _Slicer(ranks, list(item_types))
    rows = [
        (model, *names, measure.relevance, measure.metric, measure.k, value, n, None, None, None)
        for measure in measures
        for names, value, n in slicer.means(measure.values, all_slices=measure.k in CUTOFFS)
    ]
    return pl.DataFrame(rows, schema=pl.Schema(SLICED_METRICS), orient="row").with_columns(
        pl.col("value").fill_nan(None)
    )


class _Slicer:
    """Averages values of predictions over the slices, whose codes are made once."""

    def __init__(self, ranks: pl.DataFrame, types: list[str]) -> None:
        self._n = ranks.height
        self._n_types = len(types)
        self._target = _type_codes(ranks, "target_type", types)
        self._transition = _type_codes(ranks, "source_type", types) * len(types) + self._target
        self._target_names = [("target_type", None, name) for name in types]
        self._transition_names = [
            ("transition", source, target) for source in types for target in types
        ]

    def means(
        self, values: np.ndarray, *, all_slices: bool
    ) -> Iterator[tuple[tuple[str, str | None, str | None], float, int]]:
        """Yield names (slice, source type, target type), mean and n; NaN without predictions."""
        yield ("overall", None, None), mean_or_nan(values), self._n
        if not all_slices:
            return
        by_target, n_by_target = _means(values, self._target, self._n_types)
        by_transition, n_by_transition = _means(values, self._transition, self._n_types**2)
        yield from _zip(self._target_names, by_target, n_by_target)
        yield from _zip(self._transition_names, by_transition, n_by_transition)
        yield ("macro", None, None), mean_or_nan(by_target[n_by_target > 0]), self._n


def _means(values: np.ndarray, code: np.ndarray, n_codes: int) -> tuple[np.ndarray, np.ndarray]:
    totals = np.bincount(code, weights=values, minlength=n_codes)
    counts = np.bincount(code, minlength=n_codes)
    return np.divide(totals, counts, out=np.full(n_codes, np.nan), where=counts > 0), counts


def _zip(
    names: Sequence[tuple[str, str | None, str]], means: np.ndarray, counts: np.ndarray
) -> Iterator[tuple[tuple[str, str | None, str], float, int]]:
    return zip(names, means.tolist(), counts.tolist(), strict=True)


def _type_codes(ranks: pl.DataFrame, column: str, types: list[str]) -> np.ndarray:
    unknown = sorted(set(ranks[column].unique().to_list()) - set(types))
    if unknown:
        raise EvaluationError(
            f"Column {column} of the ranks holds {', '.join(map(repr, unknown))}, but the item "
            f"types are {', '.join(map(repr, types))}. Name all types of the vocabulary."
        )
    codes = pl.Series(types, dtype=pl.String)
    return (
        ranks[column].replace_strict(codes, np.arange(len(types)), return_dtype=pl.Int64).to_numpy()
    )
