"""Ranks or contexts go in; the cell of each prediction, and slices as sums of cells, come out.

A slice's mean is worked out from its cells' sums and counts, once for the predictions and in the
same way for every resample of the bootstrap.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError


class SliceName(NamedTuple):
    """What tells one slice from the others; columns of `SLICED_METRICS`."""

    slice: str
    source_type: str | None = None
    target_type: str | None = None
    group: str | None = None


class Layout(Protocol):
    """Cells of predictions, and the slices made of them.

    Attributes
    ----------
    cell
        Cell of each prediction, int64 [P].
    n_cells
        Number of cells, C.
    names
        The slices, N.
    """

    cell: np.ndarray
    n_cells: int
    names: list[SliceName]

    def counts(self, counts: np.ndarray) -> np.ndarray:
        """Return the slices' counts, [..., N], from the cells', [..., C]."""
        ...

    def means(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the slices' means, [..., N], from the cells' sums and counts; NaN of nothing."""
        ...


class TypeLayout:
    """Overall, by target type, by transition, and the macro average over target types.

    Parameters
    ----------
    ranks
        Columns `source_type` and `target_type` of `RANKS`.
    types
        All types: one without predictions has its slices too.

    Raises
    ------
    EvaluationError
        If the ranks hold another type.
    """

    def __init__(self, ranks: pl.DataFrame, types: Sequence[str]) -> None:
        target, source = (_codes(ranks, name, types) for name in ("target_type", "source_type"))
        self._n_types = len(types)
        self.cell = source * len(types) + target
        self.n_cells = len(types) ** 2
        self.names = [
            SliceName("overall"),
            *(SliceName("target_type", target_type=name) for name in types),
            *(SliceName("transition", source, target) for source in types for target in types),
            SliceName("macro"),
        ]

    def counts(self, counts: np.ndarray) -> np.ndarray:
        """Return the slices' counts; the macro average is over all predictions."""
        folded = self._fold(counts)
        return np.concatenate([folded, folded[..., :1]], axis=-1)

    def means(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the slices' means; the macro average is over the types that have predictions."""
        means = _divide(self._fold(sums), self._fold(counts))
        by_type = means[..., 1 : 1 + self._n_types]
        occurs = ~np.isnan(by_type)
        macro = _divide(np.where(occurs, by_type, 0.0).sum(axis=-1), occurs.sum(axis=-1))
        return np.concatenate([means, macro[..., None]], axis=-1)

    def _fold(self, cells: np.ndarray) -> np.ndarray:
        square = cells.reshape(*cells.shape[:-1], self._n_types, self._n_types)
        overall = square.sum(axis=(-2, -1))[..., None]
        return np.concatenate([overall, square.sum(axis=-2), cells], axis=-1)


class TargetLayout:
    """Overall and by target type; parameters and errors as of `TypeLayout`."""

    def __init__(self, ranks: pl.DataFrame, types: Sequence[str]) -> None:
        self.cell = _codes(ranks, "target_type", types)
        self.n_cells = len(types)
        self.names = [
            SliceName("overall"),
            *(SliceName("target_type", target_type=name) for name in types),
        ]

    def counts(self, counts: np.ndarray) -> np.ndarray:
        """Return the slices' counts."""
        return np.concatenate([counts.sum(axis=-1)[..., None], counts], axis=-1)

    def means(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the slices' means."""
        return _divide(self.counts(sums), self.counts(counts))


class GroupLayout:
    """One group of a context after the other.

    Parameters
    ----------
    contexts
        A column of `CONTEXTS` named `slice_`, an Enum of its groups.
    slice_
        Name of the slice.
    """

    def __init__(self, contexts: pl.DataFrame, slice_: str) -> None:
        groups = contexts.schema[slice_]
        assert isinstance(groups, pl.Enum)
        self.cell = contexts[slice_].to_physical().to_numpy().astype(np.int64)
        self.n_cells = len(groups.categories)
        self.names = [SliceName(slice_, group=group) for group in groups.categories]

    def counts(self, counts: np.ndarray) -> np.ndarray:
        """Return the slices' counts, which are the cells'."""
        return counts

    def means(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the slices' means."""
        return _divide(sums, counts)


def _divide(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    counts = np.broadcast_to(counts, sums.shape)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _codes(ranks: pl.DataFrame, column: str, types: Sequence[str]) -> np.ndarray:
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
