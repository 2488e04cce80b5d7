"""Nothing that a training step remembers may be missing from its state."""

import copy
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.batches import session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.optimisers import RowAdagrad, RowAdam
from crossrec_pipeline.models.gru4rec.precision import Float16
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.steps import FullSoftmaxStep, SampledSoftmaxStep
from crossrec_pipeline.sessions.store import SessionStore

N_ITEMS = 30
STORE = SessionStore.from_sequences(
    [np.random.default_rng(n).integers(0, N_ITEMS, 5).tolist() for n in range(30)]
)
CASES = {
    f"{softmax}-{optimiser}-{momentum}-{embedding}": preset(
        "default",
        hidden_size=4,
        n_negatives=6 if softmax == "sampled" else None,
        embedding=embedding,
        embedding_dim=3 if embedding == "separate" else None,
        optimiser=optimiser,
        momentum=momentum,
    )
    for softmax, (optimiser, momentum), embedding in product(
        ["full", "sampled"],
        [("adam", 0), ("adagrad", 0), ("adagrad", 0.5)],
        ["constrained", "separate"],
    )
}


def _everything(thing: Any, path: str = "", seen: set[int] | None = None) -> dict[str, Any]:
    """List all values that can be reached from an object, by path."""
    seen = set() if seen is None else seen
    if isinstance(thing, (torch.Tensor, np.ndarray)):
        return {path: np.asarray(thing.detach() if isinstance(thing, torch.Tensor) else thing)}
    if isinstance(thing, (int, float, str, bool, type(None))):
        return {path: thing}
    if id(thing) in seen:
        return {}
    seen.add(id(thing))
    if isinstance(thing, np.random.Generator):
        return {path: str(thing.bit_generator.state)}
    if isinstance(thing, torch.Generator):
        return {path: thing.get_state().numpy()}
    if isinstance(thing, dict):
        parts = thing
    elif isinstance(thing, (list, tuple)):
        parts = dict(enumerate(thing))
    elif hasattr(thing, "__dict__"):
        parts = vars(thing)
    else:
        return {}
    found = {}
    for name, part in parts.items():
        found |= _everything(part, f"{path}/{name}", seen)
    return found


def _differences(one, other):
    first, second = _everything(one), _everything(other)
    assert first.keys() == second.keys()
    return [path for path, value in first.items() if not np.array_equal(value, second[path])]


def _step(config):
    network = GRU4RecNetwork(N_ITEMS, config, torch.Generator().manual_seed(0)).train()
    if config.n_negatives is None:
        return network, FullSoftmaxStep(network, config)
    sampler = NegativeSampler(np.arange(N_ITEMS), config, np.random.default_rng(0))
    return network, SampledSoftmaxStep(network, config, sampler)


def _train(network, step, windows):
    for number, window in enumerate(windows):
        torch.manual_seed(number)
        step(window, network.initial_state(len(window.lanes)), 0.01)


def _after_one_more_step(config, prepare=lambda step: None, change=lambda state: None):
    """Take one training up in another object, and let both make one step more."""
    *before, last = session_parallel_windows(STORE, np.arange(STORE.n_sessions), 4, 3)
    full = [window for window in before if len(window.inputs) == 12]
    network, step = _step(config)
    prepare(step)
    _train(network, step, full)
    other_network, other_step = _step(config)
    prepare(other_step)
    other_network.load_state_dict(network.state_dict())
    state = copy.deepcopy(step.state())
    change(state)
    other_step.load_state(state)
    assert len(last.inputs) != 12
    _train(network, step, [last])
    _train(other_network, other_step, [last])
    return step, other_step


@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
def test_step_that_takes_up_a_state_remembers_all_that_the_other_did(config):
    assert _differences(*_after_one_more_step(config)) == []


def test_scale_of_half_precision_is_remembered():
    def halves(step):
        step._precision = Float16("cpu")
        step._precision.autocast = torch.enable_grad  # as the CPU computes

    steps = _after_one_more_step(CASES["sampled-adam-0-constrained"], prepare=halves)
    assert any(path.endswith("_good_steps") for path in _everything(steps[0]))
    assert _differences(*steps) == []


def _leaves(state, path=()):
    for name, value in state.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize(
    "case", ["full-adam-0-separate", "sampled-adagrad-0.5-constrained", "sampled-adam-0-separate"]
)
def test_every_tensor_of_a_state_is_taken_over(case):
    config = CASES[case]
    tensors = [leaf for leaf in _leaves(_step(config)[1].state()) if leaf[0] not in ("sampler",)]
    assert len(tensors) > 5
    for leaf in tensors:

        def change(state, leaf=leaf):
            for name in leaf[:-1]:
                state = state[name]
            state[leaf[-1]] += 1

        assert _differences(*_after_one_more_step(config, change=change)), leaf


@pytest.mark.parametrize(
    ("forgetful", "case"),
    [
        (RowAdam, "sampled-adam-0-constrained"),
        (RowAdam, "full-adam-0-separate"),
        (RowAdagrad, "sampled-adagrad-0-separate"),
        (RowAdagrad, "full-adagrad-0.5-constrained"),
        (NegativeSampler, "sampled-adam-0-separate"),
    ],
)
def test_the_comparison_notices_what_is_forgotten(monkeypatch, forgetful, case):
    monkeypatch.setattr(forgetful, "load_state", lambda self, state: None)
    assert _differences(*_after_one_more_step(CASES[case]))
