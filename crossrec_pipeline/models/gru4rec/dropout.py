"""A share in; what each cell is multiplied by out, so that about this share of them is dropped."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.gru4rec.compiled import is_for_kernels

_HALF_BITS = np.uint64(32)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)


def dropout(cells: Tensor, share: float) -> Tensor:
    """Set about a share of the cells to zero, and divide the rest by what is kept."""
    return cells if share == 0 else cells * kept(cells, cells.shape[1], share)


def kept(like: Tensor, width: int, share: float) -> Tensor:
    """Draw what each cell is multiplied by: 0, or 1 / (1 - share).

    Parameters
    ----------
    like
        Float [N, …]: for as many rows, of this kind and on this device.
    width
        Cells a row.
    share
        Probability of 0.

    Returns
    -------
    Tensor
        Float [N, width]. It follows from the state of torch's generator.
    """
    if not is_for_kernels(like):
        return functional.dropout(like.new_ones(len(like), width), share)
    # Torch draws cell after cell; here it draws a seed, and each cell's number is a hash.
    seed = torch.randint(2**63 - 1, ()).item()
    factors = like.new_empty(len(like), width)
    _fill(factors.view(-1).numpy(), np.uint64(seed), share)
    return factors


@kernel(error_model="numpy")
def _fill(factors: np.ndarray, seed: np.uint64, share: float) -> None:
    """Fill with 0 or 1 / (1 - share), by the numbers of SplitMix64 (Steele et al. 2014)."""
    below = np.uint64(share * 2.0**32)
    factor, none = np.float32(1 / (1 - share)), np.float32(0)
    for cell in range(len(factors)):
        hashed = seed + np.uint64(cell) * _STEP
        hashed = (hashed ^ (hashed >> _SHIFT_1)) * _MIX_1
        hashed = (hashed ^ (hashed >> _SHIFT_2)) * _MIX_2
        hashed = hashed ^ (hashed >> _SHIFT_3)
        factors[cell] = none if (hashed >> _HALF_BITS) < below else factor
