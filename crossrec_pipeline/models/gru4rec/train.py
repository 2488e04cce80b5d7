"""A fresh network and sessions in; the network trained in place and a history of epochs out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.base import FitReport, Progress
from crossrec_pipeline.models.gru4rec.batches import Window, session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.hidden_states import prediction_states, score_blocks
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.steps import (
    FullSoftmaxStep,
    SampledSoftmaxStep,
    TrainingStep,
)
from crossrec_pipeline.sessions.store import SessionStore

VALIDATION_K = 20

_REMEDY = (
    "Take a lower learning_rate, or the default init_range, and train again; if it stays, look "
    "for damaged sessions."
)


def train_network(
    n_items: int,
    config: GRU4RecConfig,
    train: SessionStore,
    validation: SessionStore | None,
    device: torch.device,
    progress: Progress | None = None,
    progress_bar: bool | None = None,
) -> tuple[GRU4RecNetwork, FitReport]:
    """Make a network and train it; with validation, keep the weights of the best epoch.

    Sessions are shuffled anew each epoch: on a log without drift that is as good as their order in
    time, and a drifting one does not end every epoch with the same few days.

    On the CPU one thread is used, and the same seed gives the same weights: steps are too small
    for more threads to help. The thread count and torch's random state are put back afterwards.

    Parameters
    ----------
    n_items
        Size of the vocabulary.
    config
        What to train and how.
    train
        Sessions to learn from.
    validation
        Sessions for Recall@20 after each epoch (all items ranked, ties against the model) and
        early stopping; without any, all epochs are run and the last weights kept.
    device
        Where to train.
    progress
        Receives a line after each epoch.
    progress_bar
        Whether to draw a bar on stderr; None draws one if that is a terminal.

    Raises
    ------
    TrainingError
        If there is nothing to learn from, an item is not in the vocabulary, or the loss or a
        weight is no longer a finite number.
    """
    _check_sessions(n_items, train, "train")
    if train.n_events == 0 or train.lengths.max() < 2:
        raise TrainingError(
            "GRU4Rec: train has no session of two events or more, so there is nothing to learn. "
            "Give more events, or a smaller CROSSREC_SESSIONS__MIN_SUPPORT."
        )
    if validation is not None:
        _check_sessions(n_items, validation, "validation")
        if validation.n_events == 0 or validation.lengths.max() < 2:
            validation = None

    cuda_devices = [device] if device.type == "cuda" else []
    with _one_thread(), torch.random.fork_rng(devices=cuda_devices):
        order_seed, negatives_seed, weights_seed, dropout_seed = np.random.SeedSequence(
            config.seed
        ).spawn(4)
        torch.manual_seed(_torch_seed(dropout_seed))
        weights = torch.Generator().manual_seed(_torch_seed(weights_seed))
        network = GRU4RecNetwork(n_items, config, weights).to(device)
        if uses_full_softmax(n_items, config):
            step: TrainingStep = FullSoftmaxStep(network, config)
        else:
            assert config.n_negatives is not None
            sampler = NegativeSampler(
                _target_support(train, n_items),
                config.alpha,
                config.n_negatives,
                np.random.default_rng(negatives_seed),
            )
            step = SampledSoftmaxStep(network, config, sampler)
        report = _run_epochs(
            network,
            step,
            config,
            train,
            validation,
            np.random.default_rng(order_seed),
            progress,
            progress_bar,
        )
        network.eval()
    report.summary["softmax"] = "full" if isinstance(step, FullSoftmaxStep) else "sampled"
    report.summary["device"] = device.type
    return network, report


def uses_full_softmax(n_items: int, config: GRU4RecConfig) -> bool:
    """Whether all items are contrasted: as asked, or because the candidates would be as many."""
    if config.n_negatives is None:
        return True
    return n_items <= config.n_negatives + config.batch_size * config.bptt_steps


def _run_epochs(
    network: GRU4RecNetwork,
    step: TrainingStep,
    config: GRU4RecConfig,
    train: SessionStore,
    validation: SessionStore | None,
    rng: np.random.Generator,
    progress: Progress | None,
    progress_bar: bool | None,
) -> FitReport:
    started = time.perf_counter()
    history: list[dict[str, float]] = []
    best_recall, best_epoch, best_weights = -1.0, 0, {}
    for epoch in range(1, config.epochs + 1):
        row = _run_epoch(network, step, config, train, epoch, rng, progress_bar)
        if validation is not None:
            row["recall_at_20"] = validation_recall(network, validation)
        history.append(row)
        if progress is not None:
            progress(_epoch_line(row, config.epochs))
        if validation is None:
            best_epoch = epoch
        elif row["recall_at_20"] > best_recall:
            best_recall, best_epoch = row["recall_at_20"], epoch
            best_weights = {name: value.clone() for name, value in network.state_dict().items()}
        elif epoch - best_epoch >= config.patience:
            break
    if best_weights:
        network.load_state_dict(best_weights)
    summary = {"best_epoch": best_epoch, "seconds": round(time.perf_counter() - started, 3)}
    if validation is not None:
        summary["best_recall_at_20"] = best_recall
    return FitReport(history, summary)


def _run_epoch(
    network: GRU4RecNetwork,
    step: TrainingStep,
    config: GRU4RecConfig,
    train: SessionStore,
    epoch: int,
    rng: np.random.Generator,
    progress_bar: bool | None,
) -> dict[str, float]:
    """Train on every prediction of train once; return the epoch's row of the history."""
    n_predictions = int((train.lengths - 1).clip(min=0).sum())
    started = time.perf_counter()
    network.train()
    state = network.initial_state(config.batch_size)
    windows = session_parallel_windows(
        train, rng.permutation(train.n_sessions), config.batch_size, config.bptt_steps
    )
    total_loss, done, n_steps = 0.0, 0, 0
    with tqdm(
        total=n_predictions,
        desc=f"epoch {epoch}/{config.epochs}",
        unit=" events",
        leave=False,
        disable=None if progress_bar is None else not progress_bar,
    ) as bar:
        for window in windows:
            n_steps += 1
            passed = (epoch - 1 + done / n_predictions) / config.epochs
            loss_tensor, last_state = step(
                window, begin_state(state, window), _learning_rate(config, passed)
            )
            loss = loss_tensor.item()
            if not np.isfinite(loss):
                raise TrainingError(
                    f"GRU4Rec: the loss is {loss} in epoch {epoch}, step {n_steps}. {_REMEDY}"
                )
            keep_state(state, window, last_state)
            total_loss += loss * len(window.targets)
            done += len(window.targets)
            bar.update(len(window.targets))
            bar.set_postfix(loss=f"{total_loss / done:.3f}", refresh=False)
    if not all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters()):
        raise TrainingError(
            f"GRU4Rec: a weight is not finite after epoch {epoch}, step {n_steps}. {_REMEDY}"
        )
    return {
        "epoch": epoch,
        "loss": total_loss / n_predictions,
        "events_per_second": n_predictions / (time.perf_counter() - started),
    }


def begin_state(state: Tensor, window: Window) -> Tensor:
    """State of each segment's lane, or zeros where a session starts, [n_layers, S, H]."""
    lanes = torch.from_numpy(window.lanes).to(state.device)
    goes_on = torch.from_numpy(~window.starts).to(state.device)
    return state.index_select(1, lanes) * goes_on[:, None]


def keep_state(state: Tensor, window: Window, last_state: Tensor) -> None:
    """Write back the states of the lanes whose session goes on in the next window."""
    segments = np.flatnonzero(window.continues)
    lanes = torch.from_numpy(window.lanes[segments]).to(state.device)
    chosen = torch.from_numpy(segments).to(state.device)
    state.index_copy_(1, lanes, last_state.index_select(1, chosen))


def _learning_rate(config: GRU4RecConfig, passed: float) -> float:
    """Step size after a share `passed` of all epochs."""
    if config.learning_rate_decay == "linear":
        return config.learning_rate * (1 - passed)
    return config.learning_rate


@torch.no_grad()
def validation_recall(network: GRU4RecNetwork, store: SessionStore) -> float:
    """Share of predictions whose target is among the best 20 of all items, ties against it."""
    network.eval()
    hits = total = 0
    for _, _, target, hidden in prediction_states(network, store):
        targets = torch.from_numpy(target).to(hidden.device)
        for rows in score_blocks(hidden, network.n_items):
            scores = network.scores(hidden[rows])
            rank = (scores >= scores.gather(1, targets[rows, None])).sum(dim=1)
            hits += int((rank <= VALIDATION_K).sum())
        total += len(target)
    return hits / total


def _epoch_line(row: dict[str, float], epochs: int) -> str:
    recall = ""
    if "recall_at_20" in row:
        recall = f"recall@20 {row['recall_at_20']:.4f}  ".replace(" 0.", " .")
    return (
        f"epoch {row['epoch']:.0f}/{epochs}  loss {row['loss']:.3f}  {recall}"
        f"{row['events_per_second']:,.0f} events/s"
    )


def _check_sessions(n_items: int, store: SessionStore, part: str) -> None:
    if store.n_events and not 0 <= store.item_index.min() <= store.item_index.max() < n_items:
        raise TrainingError(
            f"GRU4Rec: {part} holds item indexes {store.item_index.min()} to "
            f"{store.item_index.max()}, but the vocabulary has {n_items} items. Rebuild "
            "sessions/sequences, which makes both."
        )


def _target_support(store: SessionStore, n_items: int) -> np.ndarray:
    """How often each item follows another in its session, int64 [n_items]."""
    counts = np.bincount(store.item_index, minlength=n_items)
    firsts = store.item_index[store.offsets[:-1][store.lengths > 0]]
    return counts - np.bincount(firsts, minlength=n_items)


def _torch_seed(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
