"""Approximate scores and their margin in; exact counts of higher and of equal scores out."""

import numpy as np
from numba import njit

from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.inner_product.bit_masks import (
    LANES,
    higher_than,
    lowest_bit,
    n_bits,
)
from crossrec_pipeline.models.inner_product.exact import exact_score

_ALL_BUT_SIGN = 2**31 - 1
_ONE = np.uint64(1)
_NONE = np.uint64(0)


@kernel(error_model="numpy")
def count_block(
    bits: np.ndarray,
    dropped_bits: int,
    margin: np.ndarray,
    hidden: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    items: np.ndarray,
    begins: np.ndarray,
    scores: np.ndarray,
    in_group: np.ndarray,
    higher: np.ndarray,
    equal: np.ndarray,
    within_group: np.ndarray,
) -> bool:
    """Count a block's items that score higher than given scores, and those that score the same.

    An approximate score further than the margin from a given one decides which is higher. The
    others are computed again.

    Parameters
    ----------
    bits
        Approximate scores, rounded to the nearest of their type: their bits as integers of the
        same width [R, C], C being a multiple of `LANES`.
    dropped_bits
        By how many bits they are shorter than float32.
    margin
        How far a row's approximate scores, not yet rounded, are at most from the exact ones,
        float64 [R]; where infinite, all scores of the row are computed exactly.
    hidden, weight, bias
        What scores are made of, float32 [R, H], [n_items, H] and [n_items].
    items
        Item of each column, int64 [at most C]; columns beyond are ignored.
    begins
        Row r has the given scores ``begins[r]`` to ``begins[r + 1] - 1``, int64 [R + 1].
    scores
        The given scores, exact, float32 [T].
    in_group
        Whether the block is of the group of the row's first item, bool [R].
    higher, equal
        The counts are added here, int64 [T].
    within_group
        Where `in_group`, both counts of the row's first item are added here, int64 [R].

    Returns
    -------
    bool
        Whether a score is not a number.
    """
    undefined = False
    near = np.empty(bits.shape[1], dtype=np.int64)
    for row in range(len(margin)):
        for place in range(begins[row], begins[row + 1]):
            score = scores[place]
            if np.isinf(margin[row]):
                n_higher, n_near = 0, len(items)
                near[:n_near] = np.arange(n_near)
            else:
                below, above = doubtful_range(score, margin[row], dropped_bits)
                n_higher, n_near = _sort_out(bits, row, len(items), above, below, near)
            n_equal = 0
            for k in range(n_near):
                other = exact_score(hidden, row, weight, bias, int(items[near[k]]))
                n_higher += other > score
                n_equal += other == score
                undefined |= np.isnan(other)
            higher[place] += n_higher
            equal[place] += n_equal
            if place == begins[row] and in_group[row]:
                within_group[row] += n_higher + n_equal
    return undefined


@njit(error_model="numpy")
def _sort_out(
    bits: np.ndarray, row: int, n_columns: int, above: int, below: int, near: np.ndarray
) -> tuple[int, int]:
    """Count the scores over `above`; put the columns of others over `below` into `near`."""
    n_higher = n_near = 0
    for first in range(0, n_columns, LANES):
        surely = higher_than(bits, row, first, above)
        maybe = higher_than(bits, row, first, below) ^ surely
        n_left = n_columns - first
        if n_left < LANES:
            real = (_ONE << np.uint64(n_left)) - _ONE
            surely, maybe = surely & real, maybe & real
        n_higher += n_bits(surely)
        while maybe != _NONE:
            near[n_near] = first + lowest_bit(maybe)
            n_near += 1
            maybe &= maybe - _ONE
    return n_higher, n_near


@kernel(error_model="numpy")
def doubtful_range(score: float, margin: float, dropped_bits: int) -> tuple[int, int]:
    """Return between which approximate scores no order is certain.

    Rounding keeps order: what is beyond a rounded bound was beyond the bound before. The bounds
    are rounded to float32, then outwards to the shorter type.

    Parameters
    ----------
    score
        A float32.
    margin, dropped_bits
        See `count_block`.

    Returns
    -------
    below, above
        In the order of `higher_than`. What is higher than `above` is higher than the score for
        certain; what is not higher than `below` is lower for certain.
    """
    lowest = _steps_from_zero(np.float64(score) - margin) >> dropped_bits
    highest = -(-_steps_from_zero(np.float64(score) + margin) >> dropped_bits)
    # There, negative zero lies one below zero.
    below = lowest - 1 if lowest > 0 else lowest - 2
    above = highest if highest >= 0 else highest - 1
    return below, above


@kernel(error_model="numpy")
def _steps_from_zero(value: float) -> int:
    """Return how many float32 lie between zero and a number; below zero they count negative."""
    bits = int(np.float32(value).view(np.int32))
    return bits if bits >= 0 else -(bits & _ALL_BUT_SIGN)
