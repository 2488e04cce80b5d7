import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.batches import session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.train import begin_state, keep_state
from crossrec_pipeline.sessions.store import SessionStore

TIED = GRU4RecConfig(hidden_size=6, dropout_embedding=0, dropout_hidden=0)
SEPARATE = TIED.model_copy(update={"embedding": "separate", "embedding_dim": 4})


def _network(config: GRU4RecConfig, n_items: int = 50, seed: int = 0) -> GRU4RecNetwork:
    return GRU4RecNetwork(n_items, config, torch.Generator().manual_seed(seed))


def _state_after_each_event(network: GRU4RecNetwork, session: np.ndarray) -> torch.Tensor:
    """Gates of a GRU written out, one event at a time, float64 [events, H]."""
    states = [
        torch.zeros(network.hidden_size, dtype=torch.float64) for _ in range(network.n_layers)
    ]
    outputs = []
    for item in session:
        x = vector = network.input_embedding[int(item)].double()
        for layer in range(network.n_layers):
            w_i, w_h, b_i, b_h = (
                getattr(network.gru, f"{name}_l{layer}").double()
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            h = states[layer]
            i_r, i_z, i_n = (w_i @ x + b_i).chunk(3)
            h_r, h_z, h_n = (w_h @ h + b_h).chunk(3)
            r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
            x = states[layer] = (1 - z) * torch.tanh(i_n + r * h_n) + z * h
        outputs.append(x if network.skip is None else x + vector @ network.skip.double())
    return torch.stack(outputs)


@pytest.mark.parametrize("n_steps", [1, 3, 20])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("base", [TIED, SEPARATE], ids=["constrained", "separate"])
def test_states_in_session_parallel_training_equal_each_session_alone(base, n_layers, n_steps):
    rng = np.random.default_rng(1)
    lengths = rng.integers(2, 9, size=17)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    # Items are all different, so that a state can be found by its input.
    items = rng.permutation(offsets[-1])
    network = _network(base.model_copy(update={"n_layers": n_layers}), int(offsets[-1])).train()
    assert network.skip is not None
    torch.nn.init.normal_(network.skip)
    store = SessionStore.from_sequences([items[a:b].tolist() for a, b in pairwise(offsets)])
    in_training = {}
    state = network.initial_state(4)
    with torch.no_grad():
        for window in session_parallel_windows(store, np.arange(17), 4, n_steps):
            hidden, last = network(
                network.input_embedding[torch.from_numpy(window.inputs)],
                torch.from_numpy(window.batch_sizes),
                begin_state(state, window),
            )
            keep_state(state, window, last)
            in_training.update(zip(window.inputs.tolist(), hidden, strict=True))

        for session in store:
            for item, alone in zip(
                session[:-1], _state_after_each_event(network, session), strict=False
            ):
                torch.testing.assert_close(
                    in_training.pop(int(item)).double(), alone, atol=1e-5, rtol=1e-5
                )
    assert not in_training


def test_matrices_start_uniform_in_the_range_of_their_shape_and_biases_at_zero():
    network = _network(SEPARATE, n_items=400)
    for parameter in network.parameters():
        if parameter.ndim == 1 or parameter is network.skip:
            assert not parameter.any()
        else:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert parameter.abs().max() <= bound
            assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15)


def test_init_range_bounds_all_matrices():
    network = _network(TIED.model_copy(update={"init_range": 0.01}))
    assert all(parameter.abs().max() <= 0.01 for parameter in network.parameters())


def test_constrained_embedding_is_one_parameter():
    tied, separate = _network(TIED), _network(SEPARATE)
    assert tied.output_weight is tied.input_embedding
    assert separate.output_weight.shape == (50, 6)
    assert separate.input_embedding.shape == (50, 4)


def test_without_a_skip_connection_what_scores_is_the_state():
    network = _network(TIED.model_copy(update={"skip_connection": False}))
    hidden, last = network(network.input_embedding[:3], torch.tensor([3]), network.initial_state(3))
    assert network.skip is None
    torch.testing.assert_close(hidden, last[-1])


def test_scores_are_inner_products_plus_bias():
    network = _network(SEPARATE, n_items=3)
    hidden = torch.randn(2, 6)
    with torch.no_grad():
        network.output_bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
        scores = network.scores(hidden)
        by_hand = torch.tensor(
            [
                [float(h @ network.output_weight[i] + network.output_bias[i]) for i in range(3)]
                for h in hidden
            ]
        )
    torch.testing.assert_close(scores, by_hand)


def test_dropout_is_the_share_that_is_dropped_and_only_while_training():
    config = GRU4RecConfig(hidden_size=32, dropout_embedding=0, dropout_hidden=0.25)
    network = _network(config)
    vectors, sizes = network.input_embedding.repeat(20, 1), torch.tensor([1000])
    torch.manual_seed(0)
    dropped, _ = network.train()(vectors, sizes, network.initial_state(1000))
    assert (dropped == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
    kept, _ = network.eval()(vectors, sizes, network.initial_state(1000))
    assert (kept == 0).double().mean().item() < 0.01
