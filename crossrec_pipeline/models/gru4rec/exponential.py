"""A float32 number in, its exponential out: written so that compilers turn it into vectors.

Numba keeps compiled kernels by the file that they are in: after a change here or in `prefetch`,
delete `__pycache__/*.nb?`.
"""

import numpy as np
from numba import njit

# Numba takes a plain literal for a float64, and the whole expression with it.
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_LEAST = np.float32(-87.0)
_MOST = np.float32(88.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(1 / product) for product in (2, 6, 24, 120, 720, 5040))


# Not to be reassociated, whatever the caller allows: the steps to r would lose their point.
@njit(fastmath={"contract"}, forceinline=True)
def exponential(x: np.float32) -> np.float32:
    """Return e^x for float32, within a few units of the last place; x is cut to -87 … 88.

    With x = n ln 2 + r and |r| at most ln(2) / 2, it is 2^n × e^r: the exponent's bits, times a
    Taylor series of eight terms.
    """
    x = min(max(x, _LEAST), _MOST)
    n = np.floor(x * _LOG2_E + _HALF)
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    series = _C7
    series = series * r + _C6
    series = series * r + _C5
    series = series * r + _C4
    series = series * r + _C3
    series = series * r + _C2
    series = series * r + _ONE
    series = series * r + _ONE
    return series * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
