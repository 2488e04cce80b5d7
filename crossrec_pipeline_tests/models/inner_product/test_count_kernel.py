import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from crossrec_pipeline.models.inner_product.bit_masks import (
    LANES,
    higher_than,
    lowest_bit,
    n_bits,
)
from crossrec_pipeline.models.inner_product.count_kernel import doubtful_range

INTEGERS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}
SCORES = st.floats(-(2.0**100), 2.0**100, width=32)


@njit
def _mask(bits: np.ndarray, row: int, column: int, threshold: int) -> np.uint64:
    return higher_than(bits, row, column, threshold)


@njit
def _places(mask: np.uint64) -> list[int]:
    found = [n_bits(mask)]
    while mask != np.uint64(0):
        found.append(lowest_bit(mask))
        mask &= mask - np.uint64(1)
    return found


def _in_order(values: list[float], dtype: torch.dtype) -> np.ndarray:
    """Integers in the order of floats, as `higher_than` takes them."""
    bits = torch.tensor(values, dtype=torch.float64).to(torch.float32).to(dtype)
    integers = bits.view(INTEGERS[dtype]).numpy()
    width = 8 * integers.itemsize
    return np.where(integers < 0, integers ^ (2 ** (width - 1) - 1), integers).astype(np.int64)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_finds_the_higher_floats_from_a_column_on(dtype: torch.dtype):
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 200))).to(dtype)
    values[1, 70:76] = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 0.5, -1e-30])
    threshold = 0.5

    found = _mask(
        values.view(INTEGERS[dtype]).numpy(), 1, 65, int(_in_order([threshold], dtype)[0])
    )

    higher = np.flatnonzero((values[1, 65 : 65 + LANES] > threshold).numpy())
    assert _places(np.uint64(found)) == [len(higher), *higher]


@pytest.mark.parametrize("dtype", INTEGERS)
@settings(max_examples=300, deadline=None)
@given(score=SCORES, margin=st.floats(1e-34, 1e30), share=st.floats(-1, 1))
@example(score=-0.045112222, margin=0.00098929, share=-1.0)
@example(score=0.0, margin=1e-34, share=-0.5)
@example(score=1.0, margin=1.0, share=-1.0)
def test_what_is_within_the_margin_is_doubtful(
    dtype: torch.dtype, score: float, margin: float, share: float
):
    dropped_bits = 32 - 8 * dtype.itemsize
    near = torch.tensor([score + share * margin], dtype=torch.float64).to(dtype)
    below, above = doubtful_range(float(np.float32(score)), margin, dropped_bits)

    assert below < _in_order(near.tolist(), dtype)[0] <= above


@pytest.mark.parametrize("dtype", INTEGERS)
@settings(max_examples=300, deadline=None)
@given(score=SCORES, share=st.floats(1e-6, 1))
def test_what_is_clearly_beyond_the_margin_is_certain(
    dtype: torch.dtype, score: float, share: float
):
    margin = share * abs(score) + 1e-30
    step = (abs(score) + margin) * 2 * torch.finfo(dtype).eps
    below, above = doubtful_range(float(np.float32(score)), margin, 32 - 8 * dtype.itemsize)

    low, high = _in_order([score - margin - step, score + margin + step], dtype)

    assert low <= below
    assert high > above
