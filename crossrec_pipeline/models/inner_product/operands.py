"""Vectors in; operands of an approximate matrix product out, and how far it may be off."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_SMALLEST_NORMAL = 2.0**-126
_UNDERFLOW = 1e-34
_ROUNDING = 2.0**-24
_MOST = 1e38


@dataclass(frozen=True)
class Rounded:
    """Vectors rounded to another type.

    Attributes
    ----------
    norm
        Euclidean norm of each vector, float64 [N].
    lost
        Norm of what rounding has taken from it, float64 [N].
    """

    norm: np.ndarray
    lost: np.ndarray


def row_operand(hidden: Tensor, dtype: torch.dtype) -> tuple[Tensor, Rounded]:
    """Make an operand of hidden states, float32 [R, H]: [R, H + 2], the last columns ones."""
    factor = torch.ones(len(hidden), hidden.shape[1] + 2, dtype=dtype)
    return factor, _round_into(factor[:, :-2], hidden)


def item_operand(
    weight: Tensor, bias: Tensor, n_rows: int, dtype: torch.dtype
) -> tuple[Tensor, Rounded, Rounded]:
    """Make an operand of items, float32 [C, H] and [C].

    Returns
    -------
    factor, weight, bias
        [n_rows, H + 2], the last columns being the bias in two parts, and zero in rows beyond the
        items; what rounding has made of the vectors, and of the biases.
    """
    factor = torch.zeros(n_rows, weight.shape[1] + 2, dtype=dtype)
    of_items = factor[: len(weight)]
    rounded = _round_into(of_items[:, :-2], weight)
    size = _round_into(of_items[:, -2:-1], bias[:, None])
    rest = _round_into(of_items[:, -1:], bias[:, None] - of_items[:, -2:-1].float())
    return factor, rounded, Rounded(size.norm, rest.lost)


def _round_into(factor: Tensor, values: Tensor) -> Rounded:
    factor.copy_(values)
    # Some processors read such numbers as zero, others do not.
    factor[factor.abs() < _SMALLEST_NORMAL] = 0
    exact = values.double()
    return Rounded(
        torch.linalg.vector_norm(exact, dim=1).numpy(),
        torch.linalg.vector_norm(exact - factor.double(), dim=1).numpy(),
    )


def greatest(rounded: Rounded) -> Rounded:
    """Return the greatest of both norms, float64 [1]; NaN if there is one."""
    return Rounded(rounded.norm.max(keepdims=True), rounded.lost.max(keepdims=True))


def margins(rows: Rounded, weight: Rounded, bias: Rounded, width: int) -> np.ndarray:
    """Bound how far approximate scores are from the exact ones, before they are rounded to be kept.

    By Cauchy and Schwarz, what rounding the vectors changes in a score is at most the norm of what
    one has lost times the norm of the other. To that comes the rounding of sums, of these scores
    and of the exact ones alike: n additions in float32 err by at most about n 2^-24 of the sum of
    absolute values, which the product of the norms bounds (Higham 2002, section 3.1).

    Parameters
    ----------
    rows
        Hidden states, [R].
    weight, bias
        Greatest of a block of items, [1].
    width
        Numbers that are summed up for a score.

    Returns
    -------
    float64 [R]
        Infinite where float32 may overflow or a number is not finite: nothing is known there.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        norm, item_norm = rows.norm + rows.lost, weight.norm + weight.lost
        size = norm * item_norm + bias.norm + bias.lost
        lost = rows.lost * item_norm + norm * weight.lost + bias.lost
        # Twice for both scores, and twice again for processors that round sums less exactly.
        summed = 4 * (width + 8) * _ROUNDING * size
        return np.where(size < _MOST, 1.001 * (lost + summed) + _UNDERFLOW, np.inf)


def fastest_dtype() -> torch.dtype:
    """Return the type that this processor multiplies fastest in: bfloat16 where it has AMX.

    Without AMX, products in bfloat16 gain less than the scores they leave undecided cost, or are
    emulated. What is counted is the same in either.
    """
    return torch.bfloat16 if torch.cpu.get_capabilities().get("amx_bf16") else torch.float32


@contextmanager
def true_float32() -> Iterator[None]:
    """Multiply float32 as such, even where `torch.set_float32_matmul_precision` allows less."""
    matmul = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = matmul.fp32_precision
    matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        matmul.fp32_precision = before
