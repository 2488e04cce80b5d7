"""What two processes do together, for `test_two_processes.py`; torchrun runs this file in each.

Each process writes what it came to into the folder it is given. The same functions, called in one
process, are what that is compared with.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec import run, train
from crossrec_pipeline.models.gru4rec.batches import EMPTY_WINDOW, session_parallel_windows
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.data_parallel import OwnShare, Wishes, joint_step
from crossrec_pipeline.models.gru4rec.event_inputs import EventMaps, EventReading
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.processes import Processes, process_group
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.steps import (
    FullSoftmaxStep,
    SampledSoftmaxStep,
    StepGradient,
    WindowResult,
)
from crossrec_pipeline.models.gru4rec.train import begin_state, train_network
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.gru4rec.event_stores import NAMES, with_random_events

CPU = torch.device("cpu")
NOTHING = Wishes(leave=False, save=False)

# --- one step -----------------------------------------------------------------------------------

N_STEP_ITEMS = 30
STEP_SESSIONS = SessionStore.from_sequences(
    [[0, 7, 7, 2, 9, 1], [9, 0, 3, 8, 8], [2, 9, 4, 4, 21], [5, 6, 5, 7, 0], [11, 12, 7, 3, 2]]
)
STEP_SESSIONS = with_random_events(STEP_SESSIONS, 0)
_PLAIN = GRU4RecConfig(
    hidden_size=5,
    optimiser="adagrad",
    n_negatives=None,
    logq=0.0,
    dropout_embedding=0.0,
    dropout_hidden=0.0,
    batch_size=4,
    bptt_steps=3,
)
STEP_CONFIGS = {
    "constrained": _PLAIN,
    "separate": _PLAIN.model_copy(update={"embedding": "separate", "embedding_dim": 3}),
    "none, adam": _PLAIN.model_copy(update={"embedding": "none", "optimiser": "adam"}),
    "short gradients": _PLAIN.model_copy(update={"max_gradient_norm": 0.05}),
    "event inputs": _PLAIN.model_copy(update={"event_inputs": ("event_type", "gap")}),
}


def weights_after_a_step(
    config: GRU4RecConfig, processes: Processes, n_sessions: int, sampled: bool
) -> dict[str, Tensor]:
    """Train on one window of the first sessions; sampled candidates are all items too."""
    network = GRU4RecNetwork(N_STEP_ITEMS, config, torch.Generator().manual_seed(0)).train()
    event_rows = None
    if config.event_inputs:
        network.events = EventMaps(config.event_inputs, NAMES, config.input_width)
        event_rows = EventReading(network.events, STEP_SESSIONS, "train").rows
    if sampled:
        sampled_config = config.model_copy(update={"n_negatives": N_STEP_ITEMS})
        support = np.ones(N_STEP_ITEMS, dtype=np.int64)
        sampler = NegativeSampler(support, sampled_config, np.random.default_rng(0))
        sampler.draw = lambda: np.arange(N_STEP_ITEMS)  # type: ignore[method-assign]
        step = SampledSoftmaxStep(network, sampled_config, sampler)
    else:
        step = FullSoftmaxStep(network, config)
    n_lanes = config.batch_size // processes.count
    order = OwnShare(np.arange(n_sessions), processes)
    windows = session_parallel_windows(STEP_SESSIONS, order, n_lanes, config.bptt_steps, event_rows)
    window = next(windows, EMPTY_WINDOW)
    state = begin_state(network.initial_state(n_lanes), window)
    made = joint_step(step, window, state, 0.1, processes, NOTHING)
    assert made is not None
    return {
        "loss": torch.tensor(made.loss),
        "n_predictions": torch.tensor(made.n_predictions),
        **{name: weights.detach() for name, weights in network.named_parameters()},
    }


def steps(processes: Processes) -> dict[str, Any]:
    """Make the first step of each kind, on sessions that are shared equally, unequally, or not."""
    return {
        f"{name}, {n_sessions}, {sampled}": weights_after_a_step(
            config, processes, n_sessions, sampled
        )
        for name, config in STEP_CONFIGS.items()
        for n_sessions in (4, 3, 1)
        for sampled in (False, True)
    }


def sent_in_a_step(processes: Processes) -> int:
    """Return the numbers that leave this process in a step on a large table of items."""
    sent = []

    class Counting(Processes):
        def add_up(self, tensor: Tensor) -> None:
            sent.append(tensor.numel())
            super().add_up(tensor)

        def gathered(self, tensor: Tensor) -> Tensor:
            sent.append(tensor.numel())
            return super().gathered(tensor)

    counting = Counting(processes.rank, processes.count, processes.device)
    config = GRU4RecConfig(hidden_size=4, n_negatives=20, batch_size=4)
    network = GRU4RecNetwork(20_000, config, torch.Generator().manual_seed(0)).train()
    sampler = NegativeSampler(np.ones(20_000), config, np.random.default_rng(processes.rank))
    windows = session_parallel_windows(STEP_SESSIONS, OwnShare(np.arange(4), processes), 2, 2)
    window = next(windows)
    state = begin_state(network.initial_state(2), window)
    joint_step(SampledSoftmaxStep(network, config, sampler), window, state, 0.1, counting, NOTHING)
    return sum(sent)


def moves_after_an_overflow(processes: Processes) -> int:
    """Return how often a step moves whose gradient overflows in the second process."""

    class Overflowing:
        moves = 0

        def gradient(self, *_: object) -> WindowResult:
            gradient = None if processes.rank == 1 else self.no_gradient()
            return WindowResult(torch.tensor(1.0), torch.zeros(1), gradient)

        def no_gradient(self) -> StepGradient:
            return StepGradient({"x": torch.zeros(1)}, {})

        def move(self, *_: object) -> None:
            self.moves += 1

    step, window = Overflowing(), replace(EMPTY_WINDOW, targets=np.zeros(1, dtype=np.int64))
    made = joint_step(step, window, torch.zeros(1), 0.1, processes, NOTHING)  # type: ignore[arg-type]
    assert made is not None
    assert made.loss == 1.0
    return step.moves


# --- a whole training ---------------------------------------------------------------------------

N_ITEMS = 60
CONFIG = GRU4RecConfig(
    hidden_size=16,
    batch_size=16,
    epochs=3,
    n_negatives=10,
    dropout_embedding=0.1,
    dropout_hidden=0.2,
    learning_rate=0.01,
    patience=3,
)
FULL = CONFIG.model_copy(update={"n_negatives": None})
EVENT_INPUTS = CONFIG.model_copy(update={"event_inputs": ("event_type", "gap")})


def sessions(n_sessions: int, seed: int) -> SessionStore:
    """Draw sessions in which an item is mostly followed by one of two others."""
    follows = np.random.default_rng(9).integers(0, N_ITEMS, (N_ITEMS, 2))
    rng, drawn = np.random.default_rng(seed), []
    for length in rng.integers(1, 12, n_sessions):
        session = [int(rng.integers(N_ITEMS))]
        for _ in range(length - 1):
            usual = rng.random() < 0.8
            next_item = follows[session[-1], rng.integers(2)] if usual else rng.integers(N_ITEMS)
            session.append(int(next_item))
        drawn.append(session)
    return with_random_events(SessionStore.from_sequences(drawn), seed)


TRAIN, VALIDATION = sessions(400, 0), sessions(80, 1)
# One session is much longer than the others: the process that has it goes on alone.
UNEVEN = SessionStore.from_sequences([*[[1, 2, 3]] * 9, [k % N_ITEMS for k in range(200)]])


def training(config: GRU4RecConfig, **options: Any) -> dict[str, Any]:
    """Train, and return weights and figures that do not depend on the time it took."""
    network, report = train_network(N_ITEMS, config, TRAIN, VALIDATION, CPU, **options)
    return {
        "weights": {name: weights.detach() for name, weights in network.named_parameters()},
        "history": [{**row, "events_per_second": 0.0} for row in report.history],
        "summary": {**report.summary, "seconds": 0.0},
    }


def pairs_of_an_epoch(store: SessionStore) -> np.ndarray:
    """Return each input and target that this process trains on in an epoch, int64 [2, N]."""
    pairs = []

    def noting(hidden: Tensor, window: Any, last: Tensor) -> None:
        pairs.append(np.stack([window.inputs, window.targets]))
        keep_state(hidden, window, last)

    keep_state = train.keep_state
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "keep_state", noting)
        config = CONFIG.model_copy(update={"batch_size": 4, "epochs": 1})
        train_network(N_ITEMS, config, store, None, CPU)
    return np.concatenate(pairs, axis=1)


def draws(processes: Processes) -> list[np.ndarray]:
    """Return the first negatives and a dropout mask of this process."""
    drawn = []

    class Stopped(BaseException):
        pass

    def noting(hidden: Tensor, *_: object) -> None:
        drawn.append(torch.rand(8).numpy())
        raise Stopped

    def draw(sampler: NegativeSampler) -> np.ndarray:
        drawn.append(own_draw(sampler))
        return drawn[-1]

    own_draw = NegativeSampler.draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NegativeSampler, "draw", draw)
        patch.setattr(train, "keep_state", noting)
        with pytest.raises(Stopped):
            train_network(N_ITEMS, CONFIG, TRAIN, None, CPU)
    return drawn


# --- breaking off -------------------------------------------------------------------------------


@contextmanager
def interrupted_in(name: str, call: int, rank: int, processes: Processes) -> Iterator[None]:
    """Send this process a Ctrl-C in a call of a function of training, if it has this rank."""
    function, calls = getattr(train, name), iter(range(1, 10_000))

    def interrupting(*args: Any) -> Any:
        if next(calls) == call and processes.rank == rank:
            signal.raise_signal(signal.SIGINT)
        return function(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, name, interrupting)
        with pytest.raises(KeyboardInterrupt):
            yield


def resumed(processes: Processes, folder: Path) -> dict[str, Any]:
    """Break a training off three times, by a Ctrl-C in one process, and finish it."""
    lines: list[str] = []
    options = {"checkpoints": Checkpoints(folder / "resumed"), "progress": lines.append}
    with interrupted_in("keep_state", 5, 1, processes):
        training(CONFIG, **options)
    with interrupted_in("validation_recall", 1, 0, processes):
        training(CONFIG, **options)
    with interrupted_in("_epoch_line", 1, 0, processes):
        training(CONFIG, **options)
    return {**training(CONFIG, **options), "lines": lines}


def left_behind(processes: Processes, folder: Path) -> None:
    """Leave the checkpoint of a training that was broken off."""
    with interrupted_in("keep_state", 5, 1, processes):
        training(CONFIG, checkpoints=Checkpoints(folder))


def lost_in_one(processes: Processes, folder: Path) -> list[str]:
    """Go on where only the first process can read the checkpoint."""
    lines: list[str] = []
    left_behind(processes, folder)
    checkpoints = Checkpoints(folder if processes.is_first else folder / "elsewhere")
    training(CONFIG, checkpoints=checkpoints, progress=lines.append)
    return lines


def error_of_one(processes: Processes) -> str:
    """Return the error of this process where the loss is not a number in the second one."""

    def poisoned(network: GRU4RecNetwork, *rest: Any) -> run.TrainingRun:
        if processes.rank == 1:
            network.gru.bias_hh_l0.data.fill_(float("nan"))  # type: ignore[operator]
        return run.TrainingRun(network, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "TrainingRun", poisoned)
        with pytest.raises(TrainingError) as caught:
            training(CONFIG)
    return str(caught.value)


def _work(folder: Path) -> None:
    with process_group(CPU) as processes:
        jobs: dict[str, Callable[[], Any]] = {
            "steps": lambda: steps(processes),
            "sent": lambda: sent_in_a_step(processes),
            "moves after an overflow": lambda: moves_after_an_overflow(processes),
            "whole": lambda: training(CONFIG),
            "full softmax": lambda: training(FULL),
            "event inputs": lambda: training(EVENT_INPUTS),
            "pairs": lambda: pairs_of_an_epoch(UNEVEN),
            "draws": lambda: draws(processes),
            "resumed": lambda: resumed(processes, folder),
            "left": lambda: left_behind(processes, folder / "left"),
            "lost in one": lambda: lost_in_one(processes, folder / "lost"),
            "error of one": lambda: error_of_one(processes),
        }
        results = {name: job() for name, job in jobs.items()}
        torch.save(results, folder / f"{processes.rank}.pt")


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
