"""From starts and names of sessions to the order they are kept in."""

from collections.abc import Callable

import numpy as np
import polars as pl


def order_by_start(start_us: np.ndarray, names: Callable[[np.ndarray], pl.DataFrame]) -> np.ndarray:
    """Order sessions by start, those of equal start by their names.

    Most sessions have a start of their own, so names are compared only where they must be.

    Parameters
    ----------
    start_us
        int64 [n_sessions].
    names
        Given numbers of sessions, returns a frame of them with the columns to compare by, the most
        important first. Nulls come before texts.

    Returns
    -------
    int64 [n_sessions]
        Numbers of the sessions in their order; those equal in everything stay as they were.
    """
    order = np.argsort(start_us, kind="stable")
    ordered = start_us[order]
    as_before = np.zeros(len(order), dtype=bool)
    as_before[1:] = ordered[1:] == ordered[:-1]
    if not as_before.any():
        return order
    is_tied = as_before.copy()
    is_tied[:-1] |= as_before[1:]
    tied = order[is_tied]
    frame = names(tied)
    by = pl.DataFrame([pl.Series("start_us", start_us[tied]), *frame.get_columns()])
    ranked = by.with_row_index("row").sort(["start_us", *frame.columns, "row"])["row"]
    order[is_tied] = tied[ranked.to_numpy()]
    return order
