"""P-values of one family of tests go in, p-values that allow for their number come out."""

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    r"""Return Holm's step-down adjustment of p-values (Holm, 1979), float64 [m].

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})
        \qquad p_{(1)} \le \dots \le p_{(m)}

    Rejecting where the result is below 0.05 keeps the probability of any false rejection in the
    family below 0.05, whatever the dependence between the tests.

    Parameters
    ----------
    p_values
        Float [m].
    """
    order = np.argsort(p_values, kind="stable")
    left = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.minimum(left * p_values[order], 1.0))
    adjusted = np.empty(len(p_values))
    adjusted[order] = stepped
    return adjusted
