import copy

import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.batches import session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.steps import FullSoftmaxStep, SampledSoftmaxStep
from crossrec_pipeline.sessions.store import SessionStore

N_ITEMS = 30
CONFIGS = {
    "constrained": GRU4RecConfig(
        hidden_size=5,
        optimiser="adagrad",
        n_negatives=4,
        dropout_embedding=0,
        dropout_hidden=0,
    ),
    "separate": GRU4RecConfig(
        embedding="separate",
        embedding_dim=3,
        hidden_size=5,
        optimiser="adagrad",
        n_negatives=4,
        dropout_embedding=0,
        dropout_hidden=0,
    ),
}
STORE = SessionStore.from_sequences([[0, 7, 7, 2], [9, 0, 3], [2, 9]])


def _parts(config):
    network = GRU4RecNetwork(N_ITEMS, config, torch.Generator().manual_seed(0)).train()
    window = next(session_parallel_windows(STORE, np.arange(3), n_lanes=3, n_steps=3))
    sampler = NegativeSampler(np.ones(N_ITEMS), 0.0, 4, np.random.default_rng(0))
    drawn = np.array([7, 12, 12, 20])
    sampler.draw = lambda: drawn  # type: ignore[method-assign]
    return network, window, sampler


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_sampled_step_moves_the_weights_as_dense_gradients_would(config):
    network, window, sampler = _parts(config)
    dense = copy.deepcopy(network).double()
    state = network.initial_state(len(window.lanes))
    loss, last_state = SampledSoftmaxStep(network, config, sampler)(window, state, 0.1)

    # The same loss from whole tables in float64: items outside the set have no share in it.
    hidden, dense_last = dense(
        dense.input_embedding[window.inputs], torch.from_numpy(window.batch_sizes), state.double()
    )
    log_inclusion = torch.full((N_ITEMS,), torch.inf, dtype=torch.float64)
    pool = np.unique(np.concatenate([window.targets, [7, 12, 20]]))
    absent = (29 / 30) ** (len(window.targets) - 1 + 4)
    log_inclusion[pool] = np.log(1 - absent)
    logits = dense.scores(hidden) - log_inclusion
    rows = torch.arange(len(window.targets))
    dense_loss = (torch.logsumexp(logits, 1) - logits[rows, window.targets]).mean()
    dense_loss.backward()

    assert loss.item() == pytest.approx(dense_loss.item(), rel=1e-6)
    torch.testing.assert_close(last_state.double(), dense_last, atol=1e-6, rtol=1e-5)
    for (name, moved), (_, parameter) in zip(
        network.named_parameters(), dense.named_parameters(), strict=True
    ):
        gradient = parameter.grad
        assert gradient is not None
        expected = parameter - 0.1 * gradient / (gradient.abs() + 1e-6)  # Adagrad's first step
        small = gradient.abs() < 1e-5  # float32 rounding decides what such cells do
        torch.testing.assert_close(
            moved.double()[~small], expected[~small], atol=2e-3, rtol=1e-3, msg=name
        )


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_sampled_step_leaves_rows_of_other_items_alone(config):
    network, window, sampler = _parts(config)
    before = copy.deepcopy(network)
    SampledSoftmaxStep(network, config, sampler)(
        window, network.initial_state(len(window.lanes)), 0.1
    )
    targets_or_drawn = {*window.targets.tolist(), 7, 12, 20}
    read = {*window.inputs.tolist()}
    moved = {
        name: set(np.flatnonzero((a != b).reshape(N_ITEMS, -1).any(1)).tolist())
        for name in ("input_embedding", "output_weight", "output_bias")
        for a, b in [(getattr(network, name).detach(), getattr(before, name).detach())]
    }
    assert moved["output_bias"] == targets_or_drawn
    assert moved["input_embedding"] == (read | targets_or_drawn if network.tied else read)
    assert moved["output_weight"] == (read | targets_or_drawn if network.tied else targets_or_drawn)


def test_last_state_does_not_keep_the_graph_of_the_window():
    network, window, sampler = _parts(CONFIGS["constrained"])
    state = network.initial_state(len(window.lanes))
    for step in (
        SampledSoftmaxStep(network, CONFIGS["constrained"], sampler),
        FullSoftmaxStep(network, CONFIGS["constrained"]),
    ):
        loss, last_state = step(window, state, 0.1)
        assert not loss.requires_grad
        assert not last_state.requires_grad


def test_steps_on_one_window_bring_its_loss_down():
    network, window, _ = _parts(CONFIGS["constrained"])
    step = FullSoftmaxStep(network, CONFIGS["constrained"])
    state = network.initial_state(len(window.lanes))
    losses = [step(window, state, 0.1)[0].item() for _ in range(30)]
    assert losses[0] == pytest.approx(np.log(N_ITEMS), rel=0.1)
    assert losses[-1] < 1.0
