"""What a model scores items by that came after its training."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NewRows:
    """Rows of the tables for items that came later.

    Attributes
    ----------
    vectors, weight, bias
        Input and output vectors, float32 [M, H], and biases, float32 [M].
    """

    vectors: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
