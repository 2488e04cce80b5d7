import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.serving.engine.state_token import read_token, write_token

SESSION = np.array([3, 1, 4, 1, 5], dtype=np.int32)
STATE = np.array([[0.5, -1.0, 0.25], [0.0, 1.0, -0.125]], dtype=np.float32)
TOKEN = write_token("model a", SESSION[:3], STATE)


@pytest.mark.parametrize("length", [3, 4, 5])
def test_token_fits_its_own_session_and_longer_ones(length: int) -> None:
    token = read_token(TOKEN, "model a", SESSION[:length], (2, 3))
    assert token is not None
    assert token.n_events == 3
    np.testing.assert_array_equal(token.state, STATE)


def test_token_is_short() -> None:
    assert len(TOKEN) == 21 + 4 * 2 * 3


def test_token_of_another_model_is_passed_over() -> None:
    assert read_token(TOKEN, "model b", SESSION, (2, 3)) is None


def test_token_of_another_beginning_is_passed_over() -> None:
    assert read_token(TOKEN, "model a", np.array([3, 1, 5, 1], dtype=np.int32), (2, 3)) is None


def test_token_of_a_longer_session_is_passed_over() -> None:
    assert read_token(TOKEN, "model a", SESSION[:2], (2, 3)) is None


def test_token_of_other_layers_is_passed_over() -> None:
    assert read_token(TOKEN, "model a", SESSION, (1, 3)) is None


@pytest.mark.parametrize("cell", [np.nan, np.inf, -np.inf, 1.5, -1.001])
def test_state_that_no_session_has_is_passed_over(cell: float) -> None:
    state = STATE.copy()
    state[1, 2] = cell
    assert read_token(write_token("model a", SESSION, state), "model a", SESSION, (2, 3)) is None


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(token: bytes) -> None:
    assert read_token(token, "model a", SESSION, (2, 3)) is None


@given(place=st.integers(0, 20), bit=st.integers(0, 7))
def test_altered_head_is_passed_over(place: int, bit: int) -> None:
    altered = bytearray(TOKEN)
    altered[place] ^= 1 << bit
    assert read_token(bytes(altered), "model a", SESSION, (2, 3)) is None
