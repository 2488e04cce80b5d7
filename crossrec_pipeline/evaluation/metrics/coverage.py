"""Coverage@K: which share of the catalogue anybody is shown."""

import numpy as np


def calc(lists: np.ndarray, n_items: int) -> float:
    r"""Return the share of all items that stand in at least one list; NaN without lists.

    .. math:: \mathrm{Coverage@}K = \frac{|\bigcup_p \mathrm{top}_K(p)|}{V}

    Range K / V (everybody is shown the same) to 1. It grows with the number of lists: compare only
    models of equally many (Ge et al., 2010).

    Parameters
    ----------
    lists
        Recommended items, int [P, K].
    n_items
        Items that can be recommended, V.
    """
    return len(np.unique(lists)) / n_items if lists.size else float("nan")
