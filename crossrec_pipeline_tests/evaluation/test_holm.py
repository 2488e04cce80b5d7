import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.evaluation.holm import holm

p_values = st.lists(st.floats(0, 1), max_size=12).map(np.array)


def test_by_hand():
    # In order 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04; never falling.
    found = holm(np.array([0.04, 0.01, 0.03, 0.02]))

    assert found == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_never_above_one():
    assert holm(np.array([0.5, 0.6, 0.9])).tolist() == [1.0, 1.0, 1.0]


def test_one_test_needs_no_adjustment():
    assert holm(np.array([0.03])).tolist() == [0.03]


def test_no_tests_give_no_values():
    assert holm(np.zeros(0)).shape == (0,)


@given(p_values)
def test_equal_to_rejecting_step_by_step(p: np.ndarray):
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, at in enumerate(np.argsort(p, kind="stable")):
            if p[at] * (len(p) - step) >= level:
                break
            rejected.add(int(at))
        assert {int(at) for at in np.flatnonzero(holm(p) < level)} == rejected


@given(p_values)
def test_between_the_p_value_and_bonferroni(p: np.ndarray):
    adjusted = holm(p)

    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(len(p) * p, 1.0)).all()
