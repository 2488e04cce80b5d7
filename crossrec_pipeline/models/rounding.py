"""From 64-bit scores to 32-bit scores in the same order: nothing becomes a tie by rounding."""

import numpy as np


def round_in_order(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Round to 32 bits so that values of a group stay different and in order.

    Where rounding makes neighbours equal, the larger is raised to the next representable number.
    Ranks are compared on these scores, and a tie counts against the model.

    Parameters
    ----------
    values
        float64 [n].
    group
        Values are compared within their group only, such as one row of a matrix; int [n].

    Returns
    -------
    float32 [n]
    """
    if len(values) == 0:
        return values.astype(np.float32)
    order = np.lexsort((values, group))
    values, group = values[order], group[order]
    differs = np.ones(len(values), dtype=bool)
    differs[1:] = (values[1:] != values[:-1]) | (group[1:] != group[:-1])
    levels, group = values[differs].astype(np.float32), group[differs]
    comparable = group[1:] == group[:-1]
    while len(tied := np.flatnonzero(comparable & (levels[1:] <= levels[:-1]))):
        levels[tied + 1] = np.nextafter(levels[tied], np.float32(np.inf))
    rounded = np.empty(len(values), dtype=np.float32)
    rounded[order] = levels[np.cumsum(differs) - 1]
    return rounded
