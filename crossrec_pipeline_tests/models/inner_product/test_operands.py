import numpy as np
import pytest
import torch

from crossrec_pipeline.models.inner_product.operands import (
    Rounded,
    greatest,
    item_operand,
    margins,
    row_operand,
)

DTYPES = [torch.bfloat16, torch.float32]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1e-25, 1e-3, 1.0, 1e15])
def test_approximate_scores_are_within_the_margin_of_exact_ones(dtype: torch.dtype, scale: float):
    rng = np.random.default_rng(0)
    hidden, weight = (
        torch.from_numpy((rng.normal(size=(64, 50)) * scale).astype(np.float32)) for _ in range(2)
    )
    bias = torch.from_numpy((rng.normal(size=64) * scale).astype(np.float32))
    row_factor, rows = row_operand(hidden, dtype)
    factor, of_weight, of_bias = item_operand(weight, bias, 128, dtype)

    # The product itself without rounding: what is left is what rounding the operands did.
    approximate = row_factor.double() @ factor[:64].double().t()
    error = (approximate - (hidden.double() @ weight.double().t() + bias.double())).abs()
    margin = margins(rows, greatest(of_weight), greatest(of_bias), 52)

    assert (error.max(dim=1).values.numpy() <= margin).all()
    assert not factor[64:].any()


def test_an_error_as_great_as_can_be_is_within_the_margin():
    # 1 + 2^-8 is halfway between two bfloat16, and rounded to 1.
    halfway = torch.full((1, 16), 1 + 2.0**-8)
    row_factor, rows = row_operand(halfway, torch.bfloat16)
    factor, of_weight, of_bias = item_operand(halfway, torch.zeros(1), 64, torch.bfloat16)
    error = 16 * (1 + 2.0**-8) ** 2 - float(row_factor.double()[0] @ factor.double()[0])

    margin = margins(rows, greatest(of_weight), greatest(of_bias), 18)[0]

    assert error == pytest.approx(16 * 2.0**-7, rel=0.01)
    assert error <= margin < 1.1 * error


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
def test_nothing_is_known_of_numbers_that_are_not_finite_or_may_overflow(value: float):
    one, other = (Rounded(np.array([norm]), np.array([0.0])) for norm in (1.0, value))
    zero = Rounded(np.zeros(1), np.zeros(1))

    assert np.isinf(margins(other, one, zero, 10)).all()
    assert np.isinf(margins(one, other, zero, 10)).all()
    assert np.isinf(margins(one, one, other, 10)).all()
    assert np.isfinite(margins(one, one, zero, 10)).all()


def test_numbers_that_some_processors_read_as_zero_are_zero_everywhere():
    factor, rows = row_operand(torch.tensor([[1e-39, 1.0]]), torch.float32)

    assert factor[0].tolist() == [0.0, 1.0, 1.0, 1.0]
    assert rows.lost[0] == pytest.approx(1e-39, rel=1e-6)
