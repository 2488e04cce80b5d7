import pytest
from numba import njit

from crossrec_pipeline.kernels import kernel


def _function_of_no_file():
    """Make a function that has nowhere to be kept beside, or to be named after."""
    names: dict = {}
    exec("def twice(x):\n    return 2 * x", names)
    return names["twice"]


def test_without_a_place_to_keep_it_a_function_is_compiled_anyway():
    with pytest.raises(RuntimeError, match="no locator"):
        njit(cache=True)(_function_of_no_file())
    twice = kernel()(_function_of_no_file())
    assert twice(21) == 42
    assert twice.signatures  # it was compiled


def test_options_reach_the_compiler():
    assert kernel(error_model="numpy")(_ratio)(1.0, 0.0) == float("inf")
    with pytest.raises(ZeroDivisionError):
        kernel()(_checked_ratio)(1.0, 0.0)


def _ratio(x, y):
    return x / y


def _checked_ratio(x, y):  # a second one: what is kept on disk does not tell options apart
    return x / y
