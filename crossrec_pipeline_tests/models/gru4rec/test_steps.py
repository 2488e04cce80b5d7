import copy

import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.batches import session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.event_inputs import EventMaps, EventRows
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.steps import FullSoftmaxStep, SampledSoftmaxStep
from crossrec_pipeline.models.gru4rec.train import begin_state, keep_state
from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import SessionStore

N_ITEMS = 30
STORE = SessionStore.from_sequences(
    [[0, 7, 7, 2, 9, 1], [9, 0, 3], [2, 9], [5, 6, 5, 7, 0], [11, 12, 7, 3]]
)
EVENTS = EventInputs(
    np.arange(STORE.n_events, dtype=np.uint8) % 4,
    (np.arange(STORE.n_events, dtype=np.uint32) * 37) % 400,
    ("a", "b", "c"),
)
DRAWN = np.array([7, 12, 12, 20])
SUPPORT = np.arange(N_ITEMS) % 7 + 1
PLAIN = {
    "hidden_size": 5,
    "optimiser": "adagrad",
    "n_negatives": len(DRAWN),
    "dropout_embedding": 0,
    "dropout_hidden": 0,
    "batch_size": 3,
    "bptt_steps": 3,
}
CONFIGS = {
    "constrained": {},
    "separate": {"embedding": "separate", "embedding_dim": 3},
    "none": {"embedding": "none"},
    "no skip": {"skip_connection": False},
    "two layers": {"n_layers": 2},
    "two layers, none": {"n_layers": 2, "embedding": "none"},
    "one event a step": {"bptt_steps": 1},
    "half logq": {"logq": 0.5},
    "draws": {"candidates": "draws", "logq": 0.7},
    "bpr-max": {"loss": "bpr-max"},
    "bpr-max, separate": {"loss": "bpr-max", "embedding": "separate", "embedding_dim": 3},
    "bpr-max of draws": {"loss": "bpr-max", "candidates": "draws", "elu_alpha": 0.0},
    "momentum": {"momentum": 0.5},
    "short gradients": {"max_gradient_norm": 0.05},
    "adam": {"optimiser": "adam"},
    "adam, none": {"optimiser": "adam", "embedding": "none"},
    "event inputs": {"event_inputs": ("event_type", "gap")},
    "type of events, separate": {
        "event_inputs": ("event_type",),
        "embedding": "separate",
        "embedding_dim": 3,
    },
    "gap, adam, short gradients": {
        "event_inputs": ("gap",),
        "optimiser": "adam",
        "max_gradient_norm": 0.05,
    },
}
every_config = pytest.mark.parametrize(
    "config", [GRU4RecConfig(**{**PLAIN, **options}) for options in CONFIGS.values()], ids=CONFIGS
)


def _parts(config):
    network = GRU4RecNetwork(N_ITEMS, config, torch.Generator().manual_seed(0)).train()
    if config.event_inputs:
        network.events = EventMaps(config.event_inputs, EVENTS.names, config.input_width)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():  # biases and the skip too
            parameter.add_(torch.randn(parameter.shape), alpha=0.1)
    sampler = NegativeSampler(SUPPORT, config, np.random.default_rng(0))
    sampler.draw = lambda: DRAWN  # type: ignore[method-assign]
    return network, sampler


def _windows(config):
    rows = None
    if config.event_inputs:
        maps = EventMaps(config.event_inputs, EVENTS.names, config.input_width)
        rows = EventRows(EVENTS, maps)
    return session_parallel_windows(STORE, np.arange(5), config.batch_size, config.bptt_steps, rows)


def _contrast(config, window, row, full):
    """Which items a prediction is contrasted with, as often as it is, and how each is corrected."""
    targets, n = window.targets, len(window.targets)
    session_of = np.concatenate([np.arange(alive) for alive in window.batch_sizes])
    of_others = {int(t) for t in targets[session_of != session_of[row]]} | {*DRAWN.tolist()}
    if full:
        return [int(targets[row]), *(i for i in range(N_ITEMS) if i != targets[row])], 0
    if config.candidates == "draws":
        competing = of_others | {int(targets[row])}
        others = [int(t) for k, t in enumerate(targets) if k != row and int(t) in competing]
        items = [int(targets[row]), *others, *DRAWN.tolist()]
        exponent = np.array([1.0] * (1 + len(others)) + [config.alpha] * len(DRAWN))
        return items, config.logq * exponent * np.log(SUPPORT[items])
    items = [int(targets[row]), *sorted(of_others - {int(targets[row])})]
    p = SUPPORT / SUPPORT.sum()
    q = SUPPORT**config.alpha / (SUPPORT**config.alpha).sum()
    inclusion = 1 - (1 - p[items]) ** (n - len(window.batch_sizes)) * (1 - q[items]) ** len(DRAWN)
    return items, config.logq * np.log(inclusion)


def _dense_loss(config, network, hidden, window, full):
    """Mean loss from whole tables, one prediction after the other."""
    losses = []
    for row in range(len(window.targets)):
        items, correction = _contrast(config, window, row, full)
        scores = network.scores(hidden[row : row + 1])[0, items]
        if config.loss == "cross-entropy":
            scores = scores - torch.as_tensor(correction)
            losses.append(torch.logsumexp(scores, 0) - scores[0])
            continue
        if config.elu_alpha:
            scores = torch.nn.functional.elu(scores, config.elu_alpha)
        share = torch.softmax(scores[1:], 0)
        better = (share * torch.sigmoid(scores[0] - scores[1:])).sum()
        losses.append(
            config.bpr_regularisation * (share * scores[1:] ** 2).sum() - torch.log(better)
        )
    return torch.stack(losses).mean()


class _DenseTraining:
    """Gradients of whole tables in float64; cells of a row move if a step touches the row."""

    def __init__(self, config, network, full):
        self.config, self.network, self.full = config, copy.deepcopy(network).double(), full
        self.memory = {}

    def __call__(self, window, state, learning_rate):
        config, network = self.config, self.network
        vectors = network.input_embedding[torch.from_numpy(window.inputs)]
        for part, rows in zip(
            config.event_inputs, () if window.event_rows is None else window.event_rows, strict=True
        ):
            vectors = vectors + network.events.get_parameter(part)[torch.from_numpy(rows)]
        hidden, last = network(vectors, torch.from_numpy(window.batch_sizes), state.double())
        loss = _dense_loss(config, network, hidden, window, self.full)
        parameters = dict(network.named_parameters())
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        if config.max_gradient_norm:
            norm = torch.sqrt(sum((g**2).sum() for g in gradients))  # type: ignore[arg-type]
            assert norm > config.max_gradient_norm, "else nothing is tested"
            gradients = [g * config.max_gradient_norm / norm for g in gradients]
        for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
            rows = torch.from_numpy(self.touched(name, window))
            with torch.no_grad():
                parameter[rows] += self._move(name, rows, gradient, learning_rate)
        return loss.detach(), last.detach()

    def touched(self, name, window):
        """Rows that a step reads."""
        if self.full or name.startswith(("gru.", "events.")) or name == "skip":
            return np.arange(len(self.network.get_parameter(name)))
        candidates = np.concatenate([window.targets, DRAWN])
        if name == "input_embedding":
            with_candidates = [candidates] if self.network.tied else []
            return np.unique(np.concatenate([window.inputs, *with_candidates]))
        return np.unique(candidates)

    def _move(self, name, rows, gradient, learning_rate):
        first, second, times = self.memory.setdefault(
            name, [torch.zeros_like(gradient) for _ in range(3)]
        )
        gradient = gradient[rows]
        if self.config.optimiser == "adam":
            times[rows] += 1
            first[rows] = 0.9 * first[rows] + 0.1 * gradient
            second[rows] = 0.999 * second[rows] + 0.001 * gradient**2
            root = torch.sqrt(second[rows] / (1 - 0.999 ** times[rows])) + 1e-8
            return -learning_rate * first[rows] / (1 - 0.9 ** times[rows]) / root
        second[rows] += gradient**2
        first[rows] *= self.config.momentum
        first[rows] -= learning_rate * gradient / torch.sqrt(second[rows] + 1e-6)
        return first[rows]


def _check_steps(config, network, step, full):
    dense = _DenseTraining(config, network, full)
    state = network.initial_state(config.batch_size)
    dense_state = state.double()
    for window in _windows(config):
        loss, last = step(window, begin_state(state, window), 0.02)
        dense_loss, dense_last = dense(window, begin_state(dense_state, window), 0.02)
        keep_state(state, window, last)
        keep_state(dense_state, window, dense_last)
        assert loss.item() == pytest.approx(dense_loss.item(), rel=1e-5)
        torch.testing.assert_close(last.double(), dense_last, atol=1e-5, rtol=1e-4)
    for (name, moved), (_, expected) in zip(
        network.named_parameters(), dense.network.named_parameters(), strict=True
    ):
        difference = (moved.double() - expected).abs()
        # Adam moves cells by their gradient's sign, which rounding decides where it is zero.
        if config.optimiser == "adam":
            assert difference.median() < 1e-6, name
            assert (difference > 1e-4).double().mean() < 0.02, name
        else:
            assert difference.max() < 2e-5, name


@pytest.fixture(params=["kernels", "autograd"])
def way(request, monkeypatch):
    """Both ways: with kernels where there are any, and with torch alone as on a GPU."""
    if request.param == "autograd":
        monkeypatch.setattr("crossrec_pipeline.models.gru4rec.compiled.KERNEL_DTYPE", None)


@every_config
def test_sampled_steps_move_the_weights_as_dense_gradients_would(config, way):
    network, sampler = _parts(config)
    _check_steps(config, network, SampledSoftmaxStep(network, config, sampler), full=False)


@every_config
def test_full_steps_move_the_weights_as_dense_gradients_would(config, way):
    network, _ = _parts(config)
    _check_steps(config, network, FullSoftmaxStep(network, config), full=True)


@every_config
def test_sampled_step_leaves_rows_of_other_items_alone(config):
    network, sampler = _parts(config)
    window = next(_windows(config))
    before = copy.deepcopy(network)
    SampledSoftmaxStep(network, config, sampler)(
        window, network.initial_state(len(window.lanes)), 0.1
    )
    rows_of = _DenseTraining(config, network, full=False)
    for name in ("input_embedding", "output_weight", "output_bias"):
        moved = getattr(network, name).detach() != getattr(before, name).detach()
        touched = "input_embedding" if network.tied and name == "output_weight" else name
        assert (
            np.flatnonzero(moved.reshape(N_ITEMS, -1).any(1)).tolist()
            == rows_of.touched(touched, window).tolist()
        )


@every_config
def test_goes_on_from_its_state_as_if_nothing_had_happened(config):
    network, sampler = _parts(config)
    del sampler.draw  # its own draws
    window = next(_windows(config))
    state = network.initial_state(len(window.lanes))
    step = SampledSoftmaxStep(network, config, sampler)
    step(window, state, 0.1)

    other = copy.deepcopy(network)
    other_step = SampledSoftmaxStep(
        other, config, NegativeSampler(SUPPORT, config, np.random.default_rng(9))
    )
    other_step.load_state(step.state())
    for _ in range(2):
        step(window, state, 0.1)
        other_step(window, state, 0.1)
    for one, same in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, same)


@pytest.mark.parametrize("in_state", ["output", "state"])
def test_dropped_cells_differ_from_step_to_step(in_state):
    config = GRU4RecConfig(**{**PLAIN, "dropout_hidden": 0.5, "dropout_hidden_in": in_state})
    network, sampler = _parts(config)
    step = SampledSoftmaxStep(network, config, sampler)
    window = next(_windows(config))
    state = network.initial_state(len(window.lanes))
    assert step(window, state, 1e-9)[0].item() != step(window, state, 1e-9)[0].item()


def test_last_state_does_not_keep_the_graph_of_the_window():
    config = GRU4RecConfig(**PLAIN)
    network, sampler = _parts(config)
    window = next(_windows(config))
    state = network.initial_state(len(window.lanes))
    for step in (
        SampledSoftmaxStep(network, config, sampler),
        FullSoftmaxStep(network, config),
    ):
        loss, last_state = step(window, state, 0.1)
        assert not loss.requires_grad
        assert not last_state.requires_grad


def test_steps_on_one_window_bring_its_loss_down():
    config = GRU4RecConfig(**PLAIN)
    network = GRU4RecNetwork(N_ITEMS, config, torch.Generator().manual_seed(0)).train()
    window = next(_windows(config))
    step = FullSoftmaxStep(network, config)
    state = network.initial_state(len(window.lanes))
    losses = [step(window, state, 0.1)[0].item() for _ in range(30)]
    assert losses[0] == pytest.approx(np.log(N_ITEMS), rel=0.1)
    assert losses[-1] < 1.0
