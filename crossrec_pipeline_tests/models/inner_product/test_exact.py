import numpy as np
import pytest

from crossrec_pipeline.models.inner_product.exact import exact_score, exact_scores


def _in_sixteen_sums(hidden: np.ndarray, weight: np.ndarray, bias: float) -> float:
    whole = len(hidden) // 16 * 16
    sums = np.zeros(16, dtype=np.float32)
    for begin in range(0, whole, 16):
        sums += hidden[begin : begin + 16] * weight[begin : begin + 16]
    while len(sums) > 1:
        half = len(sums) // 2
        sums = sums[:half] + sums[half:]
    total = sums[0]
    for column in range(whole, len(hidden)):
        total += hidden[column] * weight[column]
    return total + np.float32(bias)


@pytest.mark.parametrize("width", [1, 15, 16, 17, 100, 128])
def test_adds_up_in_the_order_that_is_promised(width: int):
    rng = np.random.default_rng(width)
    hidden, weight = (rng.normal(size=(20, width)).astype(np.float32) for _ in range(2))
    bias = rng.normal(size=20).astype(np.float32)
    rows, items = rng.permutation(20), rng.permutation(20)

    scores = exact_scores(hidden, weight, bias, rows, items)

    expected = [
        _in_sixteen_sums(hidden[row], weight[item], float(bias[item]))
        for row, item in zip(rows, items, strict=True)
    ]
    np.testing.assert_array_equal(scores, np.array(expected, dtype=np.float32))
    assert exact_score(hidden, 3, weight, bias, 5) == _in_sixteen_sums(
        hidden[3], weight[5], float(bias[5])
    )
