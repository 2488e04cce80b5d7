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
ONE_HOT = TIED.model_copy(update={"embedding": "none"})
EMBEDDINGS = {"constrained": TIED, "separate": SEPARATE, "none": ONE_HOT}


def _network(config: GRU4RecConfig, n_items: int = 50, seed: int = 0) -> GRU4RecNetwork:
    return GRU4RecNetwork(n_items, config, torch.Generator().manual_seed(seed))


def _state_after_each_event(network: GRU4RecNetwork, session: np.ndarray) -> torch.Tensor:
    """Gates of a GRU written out, one event at a time, float64 [events, H]."""
    states = [
        torch.zeros(network.hidden_size, dtype=torch.float64) for _ in range(network.n_layers)
    ]
    outputs = []
    one_hot = network.input_embedding.shape[1] == 3 * network.hidden_size
    for item in session:
        x = vector = network.input_embedding[int(item)].double()
        for layer in range(network.n_layers):
            w_h, b_i, b_h = (
                getattr(network.gru, f"{name}_l{layer}").double()
                for name in ("weight_hh", "bias_ih", "bias_hh")
            )
            if layer == 0 and one_hot:
                w_i, x = network.input_embedding.t().double(), torch.eye(network.n_items)[int(item)]
            else:
                w_i = getattr(network.gru, f"weight_ih_l{layer}").double()
            h = states[layer]
            i_r, i_z, i_n = (w_i @ x.double() + b_i).chunk(3)
            h_r, h_z, h_n = (w_h @ h + b_h).chunk(3)
            r, z = torch.sigmoid(i_r + h_r), torch.sigmoid(i_z + h_z)
            x = states[layer] = (1 - z) * torch.tanh(i_n + r * h_n) + z * h
        outputs.append(x if network.skip is None else x + vector @ network.skip.double())
    return torch.stack(outputs)


@pytest.mark.parametrize("n_steps", [1, 3, 20])
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("base", EMBEDDINGS.values(), ids=EMBEDDINGS)
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


@pytest.mark.parametrize("base", EMBEDDINGS.values(), ids=EMBEDDINGS)
def test_matrices_by_gate_start_in_the_range_of_one_gate(base):
    network = _network(base.model_copy(update={"init_matrices": "by-gate"}), n_items=400)
    for name, parameter in network.named_parameters():
        gates = 1
        if name.startswith("gru.") or parameter.shape == (400, 18):
            gates = 3
        if parameter.ndim == 2 and parameter is not network.skip:
            n_cells = parameter.numel() // gates
            side = parameter.shape[0] // gates if name.startswith("gru.") else 400
            bound = math.sqrt(6 / (side + n_cells // side))
            assert bound * 0.9 < parameter.abs().max() <= bound, name


def test_normal_weights_have_the_range_for_standard_deviation():
    config = TIED.model_copy(update={"init_range": 0.05, "init_distribution": "normal"})
    table = _network(config, n_items=2000).input_embedding
    assert table.std().item() == pytest.approx(0.05, rel=0.03)
    assert table.abs().max() > 0.15


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


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("base", EMBEDDINGS.values(), ids=EMBEDDINGS)
def test_what_is_dropped_from_a_state_is_missing_at_the_next_event(base, n_layers, monkeypatch):
    options = {"dropout_hidden_in": "state", "dropout_hidden": 0.5, "n_layers": n_layers}
    if base is ONE_HOT:
        options["dropout_embedding"] = 0.25
    network = _network(base.model_copy(update=options)).train()
    assert network.skip is not None
    kept = [2.0 * torch.randint(0, 2, (5, 6)) for _ in range(n_layers)]
    shares = []

    def take(like, width, share):
        shares.append(share)
        return kept[len(shares) - 1]

    monkeypatch.setattr("crossrec_pipeline.models.gru4rec.recurrence.draw_kept", take)
    # Two sessions, of three events and of two: in packed order 4 1, 4 7, 2.
    vectors = network.input_embedding[torch.tensor([4, 1, 4, 7, 2])]
    hidden, last = network(vectors, torch.tensor([2, 2, 1]), network.initial_state(2))
    assert shares == [0.25 if base is ONE_HOT else 0.5, 0.5][:n_layers]

    for packed in ([0, 2, 4], [1, 3]):
        states = torch.zeros(n_layers, 1, 6)
        for place in packed:
            x = vectors[place]
            for layer in range(n_layers):
                w_h, b_i, b_h = (
                    getattr(network.gru, f"{name}_l{layer}")
                    for name in ("weight_hh", "bias_ih", "bias_hh")
                )
                w_i = getattr(network.gru, f"weight_ih_l{layer}", torch.eye(18))
                states = states.clone()
                states[layer] = torch.gru_cell(x[None], states[layer], w_i, w_h, b_i, b_h)
                x = states[layer] = states[layer] * kept[layer][place]
                x = x[0]
            torch.testing.assert_close(hidden[place], x)
        torch.testing.assert_close(last[:, packed[0]], states[:, 0])


@pytest.mark.parametrize("in_state", ["output", "state"])
def test_nothing_is_dropped_when_not_training(in_state):
    config = ONE_HOT.model_copy(update={"dropout_hidden": 0.5, "dropout_hidden_in": in_state})
    network = _network(config).eval()
    vectors, sizes = network.input_embedding[:5], torch.tensor([3, 2])
    one, other = (network(vectors, sizes, network.initial_state(3))[0] for _ in range(2))
    assert torch.equal(one, other)
