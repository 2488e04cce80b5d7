import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.hidden_states import last_states
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.session_kernels import add_products, in_panels
from crossrec_pipeline.models.gru4rec.session_states import (
    SessionStates,
    check_tensors,
    expected_shapes,
)

N_ITEMS = 12
CONFIGS = {
    "default": GRU4RecConfig(hidden_size=10),
    "no skip connection": GRU4RecConfig(hidden_size=7, skip_connection=False),
    "one-hot": GRU4RecConfig(embedding="none", hidden_size=5),
    "separate": GRU4RecConfig(embedding="separate", embedding_dim=6, hidden_size=9),
    "three layers": GRU4RecConfig(hidden_size=8, n_layers=3),
    "one-hot, two layers": GRU4RecConfig(embedding="none", hidden_size=6, n_layers=2),
    "width of one": GRU4RecConfig(hidden_size=1),
}
SESSIONS = [[3], [0, 1, 2, 3, 4], [11, 11], [5, 0, 5]]


def _network(config: GRU4RecConfig) -> GRU4RecNetwork:
    network = GRU4RecNetwork(N_ITEMS, config, torch.Generator().manual_seed(1)).eval()
    with torch.no_grad():  # biases and the skip connection begin as zeros
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(2)
            )
    return network


def _states(config: GRU4RecConfig) -> SessionStates:
    tensors = {name: value.numpy() for name, value in _network(config).state_dict().items()}
    return SessionStates(config, tensors)


def _arrays(sessions: list[list[int]]) -> list[np.ndarray]:
    return [np.array(session, dtype=np.int32) for session in sessions]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_states_are_those_of_the_network(config: GRU4RecConfig) -> None:
    expected = last_states(_network(config), _arrays(SESSIONS)).numpy()
    np.testing.assert_allclose(
        _states(config).last_hidden(_arrays(SESSIONS)), expected, rtol=0, atol=2e-6
    )


@settings(max_examples=25, deadline=None)
@given(
    sessions=st.lists(
        st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=6), min_size=1, max_size=20
    )
)
def test_state_of_a_session_does_not_depend_on_the_others(sessions: list[list[int]]) -> None:
    states = _states(CONFIGS["default"])
    alone = [states.last_hidden(_arrays([session]))[0] for session in sessions]
    np.testing.assert_array_equal(states.last_hidden(_arrays(sessions)), alone)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_session_taken_up_again_comes_to_the_same_states(config: GRU4RecConfig) -> None:
    states = _states(config)
    session = np.array([4, 1, 1, 7, 2], dtype=np.int32)
    zeros = np.zeros((config.n_layers, 1, config.hidden_size), dtype=np.float32)
    whole = states.run([session], zeros)
    beginning = states.run([session[:2]], zeros)
    rest = states.run([session[2:]], beginning[:, -1:])
    np.testing.assert_array_equal(np.concatenate([beginning, rest], axis=1), whole)


def test_no_given_state_is_changed() -> None:
    states = _states(CONFIGS["default"])
    begin = np.full((1, 1, 10), 0.5, dtype=np.float32)
    states.run(_arrays([[1, 2]]), begin)
    assert (begin == 0.5).all()


@settings(max_examples=40, deadline=None)
@given(
    n_rows=st.integers(0, 9),
    depth=st.integers(1, 9),
    width=st.integers(1, 140),
    seed=st.integers(0),
)
def test_products_are_added_to_sums(n_rows: int, depth: int, width: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    rows, matrix, sums = (
        generator.standard_normal(shape, dtype=np.float32)
        for shape in ((n_rows, depth), (depth, width), (n_rows, width))
    )
    expected = sums + rows.astype(np.float64) @ matrix
    add_products(rows, in_panels(matrix), sums)
    np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_shapes_are_those_of_the_network(config: GRU4RecConfig) -> None:
    parameters = dict(_network(config).named_parameters())  # tied ones once
    expected = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    assert expected_shapes(config, N_ITEMS) == expected


def test_missing_or_misshapen_tensor_is_named() -> None:
    shapes = {"skip": (2, 2), "output_bias": (3,)}
    with pytest.raises(BundleError, match=r"skip is missing instead of float32 \[2, 2\]"):
        check_tensors({"output_bias": np.zeros(3, np.float32)}, shapes)
    tensors = {"skip": np.zeros((2, 2), np.float32), "output_bias": np.zeros(4, np.float32)}
    with pytest.raises(BundleError, match=r"output_bias is float32 \[4\]"):
        check_tensors(tensors, shapes)
