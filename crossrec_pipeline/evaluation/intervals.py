"""Measures of predictions and their slices go in; each figure's 95 % interval comes out."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.bootstrap import (
    interval,
    resampled_sums,
    session_numbers,
    session_sums,
)
from crossrec_pipeline.evaluation.layouts import Layout
from crossrec_pipeline.evaluation.measures import Measure

INTERVALS: dict[str, pl.DataType] = {
    "slice": pl.String(),
    "source_type": pl.String(),
    "target_type": pl.String(),
    "group": pl.String(),
    "relevance": pl.String(),
    "metric": pl.String(),
    "k": pl.Int32(),
    "standard_error": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}
"""Columns of `SLICED_METRICS`: one row a slice and measure."""


def intervals(
    session: np.ndarray,
    layouts: Sequence[Layout],
    measures: Iterable[Measure],
    *,
    n_resamples: int,
    seed: int,
) -> pl.DataFrame:
    """Bootstrap the mean of every measure in every slice over sessions.

    Parameters
    ----------
    session
        Session of each prediction, int [P].
    layouts
        Which slices there are.
    measures
        What to take the means of.
    n_resamples, seed
        See `resampled_sums`; one set of draws serves all slices and measures.

    Returns
    -------
    pl.DataFrame
        Columns of `INTERVALS`. A slice with predictions of fewer than two sessions has none: its
        figures are null, since nothing is known of how sessions differ.
    """
    measures = list(measures)
    number = session_numbers(session)
    values = [measure.values for measure in measures]
    by_session = [
        session_sums(number, layout.cell, layout.n_cells, values).reshape(
            -1, (1 + len(measures)) * layout.n_cells
        )
        for layout in layouts
    ]
    resampled = resampled_sums(np.concatenate(by_session, axis=1), n_resamples, seed)
    ends = np.cumsum([sums.shape[1] for sums in by_session])
    rows = []
    for layout, sums, columns in zip(
        layouts, by_session, np.split(resampled, ends[:-1], axis=1), strict=True
    ):
        cells = columns.reshape(n_resamples, 1 + len(measures), layout.n_cells)
        means = layout.means(cells[:, 1:], cells[:, :1])
        n_sessions = (layout.counts(sums[:, : layout.n_cells]) > 0).sum(axis=0)
        rows.extend(
            (*name, measure.relevance, measure.metric, measure.k, *vars(found).values())
            for at, name in enumerate(layout.names)
            if n_sessions[at] > 1
            for column, measure in enumerate(measures)
            for found in (interval(means[:, column, at]),)
        )
    return pl.DataFrame(rows, schema=pl.Schema(INTERVALS), orient="row").fill_nan(None)
