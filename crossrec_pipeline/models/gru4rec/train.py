"""A fresh network and sessions in; the network trained in place and a history of epochs out."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.base import EpochDone, FitReport, Progress
from crossrec_pipeline.models.gru4rec.batches import EMPTY_WINDOW, Window
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints, training_identity
from crossrec_pipeline.models.gru4rec.compiled import is_for_kernels
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.content import ContentMaps
from crossrec_pipeline.models.gru4rec.data_parallel import joint_step
from crossrec_pipeline.models.gru4rec.event_inputs import EventMaps, EventReading, require_events
from crossrec_pipeline.models.gru4rec.hidden_states import prediction_states
from crossrec_pipeline.models.gru4rec.interrupts import DeferredInterrupts
from crossrec_pipeline.models.gru4rec.keeper import Keeper
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork, folded
from crossrec_pipeline.models.gru4rec.order import session_orders
from crossrec_pipeline.models.gru4rec.processes import Processes, current_processes
from crossrec_pipeline.models.gru4rec.run import REMEDY, TrainingRun
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.steps import (
    FullSoftmaxStep,
    SampledSoftmaxStep,
    TrainingStep,
)
from crossrec_pipeline.models.gru4rec.survey import survey
from crossrec_pipeline.models.gru4rec.window_kernels import keep_states, states_at_start
from crossrec_pipeline.models.inner_product.counter import score_counter
from crossrec_pipeline.models.inner_product.factors import ItemFactors
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.models.threads import one_thread
from crossrec_pipeline.sessions.store import SessionStore

VALIDATION_K = 20

_ROWS_AT_ONCE = 4096


def train_network(
    n_items: int,
    config: GRU4RecConfig,
    train: SessionStore,
    validation: SessionStore | None,
    device: torch.device,
    progress: Progress | None = None,
    progress_bar: bool | None = None,
    *,
    checkpoints: Checkpoints | None = None,
    on_epoch: EpochDone | None = None,
    content: ItemContent | None = None,
) -> tuple[GRU4RecNetwork, FitReport]:
    """Make a network and train it; with validation, keep the weights of the best epoch.

    On the CPU one thread is used, and the same seed gives the same weights: steps are too small
    for more threads to help. The thread count and torch's random state are put back afterwards.
    With checkpoints, the same holds if training was broken off and taken up again.

    Under torchrun, inside `process_group`, all processes train one network together: each takes its
    share of sessions and of the `batch_size` lanes, and all come to the same weights. The first
    one alone keeps checkpoints, draws the bar and calls `progress` and `on_epoch`.

    Memory holds weights (twice with validation), optimiser and a few figures an item; of
    memory-mapped sessions, pages that the system can take back.

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
        Receives a line after each epoch, and where training goes on or stops.
    progress_bar
        Whether to draw a bar on stderr; None draws one if that is a terminal.
    checkpoints
        Where to keep the state of the training, and to go on from one that is there. It stays
        there at the end, for `Checkpoints.remove` once the model is safe. One whose weights are
        not finite is never written: after an error the last good one is still there, of use if
        the cause was not in configuration or sessions.
    on_epoch
        Receives each epoch's row of the history.
    content
        What is known of the items, for configurations that tell their types or read of them.

    Returns
    -------
    network, report
        With content, what is added to the tables' rows is still apart: see `folded`. So is what
        event inputs add: see `fold_means`.

    Raises
    ------
    TrainingError
        If there is nothing to learn from, an item is not in the vocabulary, event inputs are asked
        for and the sessions have none, the loss or a weight is no longer a finite number, or lanes
        cannot be shared equally among the processes.
    """
    processes = current_processes()
    _check_lanes(config, processes)
    types = _types(config, content, n_items)
    if not processes.is_first:
        progress, on_epoch, progress_bar = None, None, False
    known = survey(train, n_items, "train")
    if known.n_predictions == 0:
        raise TrainingError(
            "GRU4Rec: train has no session of two events or more, so there is nothing to learn. "
            "Give more events, or a smaller CROSSREC_SESSIONS__MIN_SUPPORT."
        )
    if validation is not None and survey(validation, n_items, "validation").n_predictions == 0:
        validation = None

    cuda_devices = [device] if device.type == "cuda" else []
    with one_thread(), torch.random.fork_rng(devices=cuda_devices):
        order_key, negatives_seed, weights_seed, dropout_seed = np.random.SeedSequence(
            config.seed
        ).spawn(4)
        torch.manual_seed(_torch_seed(processes.own_seed(dropout_seed)))
        weights = torch.Generator().manual_seed(_torch_seed(weights_seed))
        network = GRU4RecNetwork(n_items, config.plain(), weights)
        if config.learns_maps and content is not None:
            network.content = ContentMaps(config, content, weights)
        if config.event_inputs:
            names = require_events(train, config.event_inputs, "train").names
            network.events = EventMaps(config.event_inputs, names, config.input_width)
        network = network.to(device)
        event_rows = read_validation = None
        if network.events is not None:
            event_rows = EventReading(network.events, train, "train").rows
            if validation is not None:
                read_validation = EventReading(network.events, validation, "validation")
        on_device = None if types is None else torch.from_numpy(types).to(device)
        if uses_full_softmax(n_items, config):
            step: TrainingStep = FullSoftmaxStep(network, config, on_device)
        else:
            sampler = NegativeSampler(
                known.target_support,
                config,
                np.random.default_rng(processes.own_seed(negatives_seed)),
                types,
            )
            step = SampledSoftmaxStep(network, config, sampler, on_device)
        order_of = session_orders(train, config, order_key, known.n_predictions, types)
        run = TrainingRun(network, step, config, train, order_of, processes, event_rows)
        say = progress or (lambda _: None)
        identity = {}
        if checkpoints is not None:
            identity = training_identity(
                config, n_items, train, validation, device, processes.count, content
            )
        with DeferredInterrupts() as interrupts:
            keeper = Keeper(run, checkpoints, identity, interrupts, say)
            keeper.take_up()
            while not run.finished:
                _finish_epoch(run, keeper, progress_bar)
                recall = None
                if validation is not None:
                    recall = validation_recall(
                        folded(network, config),
                        validation,
                        keeper.leave_if_asked,
                        processes,
                        read_validation,
                    )
                row = run.close_epoch(recall)
                keeper.save()
                if on_epoch is not None:
                    on_epoch(row)
                say(_epoch_line(row, config.epochs))
                keeper.leave_if_asked()
        run.take_best_weights()
        network.eval()
    softmax = "full" if isinstance(step, FullSoftmaxStep) else "sampled"
    return network, FitReport(run.history, {**_summary(run), "softmax": softmax})


def _types(config: GRU4RecConfig, content: ItemContent | None, n_items: int) -> np.ndarray | None:
    """Return the items' types, int64 [n_items], where the configuration needs them."""
    needed = [
        name
        for name in (
            "content",
            "adapter_rank",
            "within_type_weight",
            "alignment_weight",
            "balance_negatives",
            "balance_sessions",
        )
        if getattr(config, name)
    ]
    if not needed:
        return None
    if content is None or content.n_items != n_items:
        found = "nothing" if content is None else f"{content.n_items:,} items"
        raise TrainingError(
            f"GRU4Rec: {needed[0]} needs to know what the {n_items:,} items are, and {found} is "
            "known. Give the content of this vocabulary's items."
        )
    return content.type_codes


def _check_lanes(config: GRU4RecConfig, processes: Processes) -> None:
    if config.batch_size % processes.count:
        lower = config.batch_size - config.batch_size % processes.count
        raise TrainingError(
            f"GRU4Rec: {processes.count} processes cannot share the {config.batch_size} lanes of "
            f"batch_size={config.batch_size} equally. Take a batch_size that {processes.count} "
            f"divides, such as {lower or lower + processes.count}, or other processes."
        )


def uses_full_softmax(n_items: int, config: GRU4RecConfig) -> bool:
    """Whether all items are contrasted: as asked, or because the candidates would be as many."""
    if config.n_negatives is None:
        return True
    if config.candidates == "draws":
        return False
    return n_items <= config.n_negatives + config.batch_size * config.bptt_steps


def _finish_epoch(run: TrainingRun, keeper: Keeper, progress_bar: bool | None) -> None:
    """Train on every prediction of train that the epoch has not had yet.

    Figures are those of all processes, so that each takes the same learning rate.
    """
    run.network.train()
    with tqdm(
        total=run.n_predictions,
        initial=run.done,
        desc=f"epoch {run.epoch}/{run.config.epochs}",
        unit=" events",
        leave=False,
        disable=None if progress_bar is None else not progress_bar,
    ) as bar:
        seconds_before, started = run.epoch_seconds, time.perf_counter()
        while True:
            window = next(run.windows, EMPTY_WINDOW)
            made = joint_step(
                run.step,
                window,
                begin_state(run.hidden, window),
                run.learning_rate(),
                run.processes,
                keeper.wishes(),
            )
            if made is None:
                break
            run.n_steps += 1
            if not np.isfinite(made.loss):
                raise TrainingError(
                    f"GRU4Rec: the loss is {made.loss} in epoch {run.epoch}, step {run.n_steps}. "
                    f"{REMEDY}"
                )
            keep_state(run.hidden, window, made.last_state)
            run.loss_sum += made.loss * made.n_predictions
            run.done += made.n_predictions
            run.epoch_seconds = seconds_before + time.perf_counter() - started
            bar.update(made.n_predictions)
            bar.set_postfix(loss=f"{run.loss_sum / run.done:.3f}", refresh=False)
            keeper.fulfil(made.wishes)
    run.check_weights()


def begin_state(state: Tensor, window: Window) -> Tensor:
    """State of each segment's lane, or zeros where a session starts, [n_layers, S, H]."""
    if is_for_kernels(state):
        return torch.from_numpy(states_at_start(state.numpy(), window.lanes, window.starts))
    lanes = torch.from_numpy(window.lanes).to(state.device)
    goes_on = torch.from_numpy(~window.starts).to(state.device)
    return state.index_select(1, lanes) * goes_on[:, None]


def keep_state(state: Tensor, window: Window, last_state: Tensor) -> None:
    """Write back the states of the lanes whose session goes on in the next window."""
    if is_for_kernels(state):
        keep_states(state.numpy(), window.lanes, window.continues, last_state.numpy())
        return
    segments = np.flatnonzero(window.continues)
    lanes = torch.from_numpy(window.lanes[segments]).to(state.device)
    chosen = torch.from_numpy(segments).to(state.device)
    state.index_copy_(1, lanes, last_state.index_select(1, chosen))


@torch.no_grad()
def validation_recall(
    network: GRU4RecNetwork,
    store: SessionStore,
    between_blocks: Callable[[], None] | None = None,
    processes: Processes | None = None,
    reading: EventReading | None = None,
) -> float:
    """Share of predictions whose target is among the best 20 of all items, ties against it.

    Each of the processes ranks its part of each block, so that all have equally many blocks. What
    is known of the events is added to their input vectors by `reading`.
    """
    processes = processes or Processes()
    network.eval()
    counter = score_counter(ItemFactors(network.output_weight, network.output_bias))
    hits = total = 0
    for _, _, target, hidden in prediction_states(network, store, reading):
        for begin in range(0, len(target), _ROWS_AT_ONCE):
            own = processes.own_part(slice(begin, min(begin + _ROWS_AT_ONCE, len(target))))
            one_each = np.ones(len(target[own]), dtype=np.int64)
            ranks = counter.count(hidden[own], target[own], one_each).ranks
            hits += int((ranks <= VALIDATION_K).sum())
            if between_blocks is not None:
                between_blocks()
        total += len(target)
    return processes.total([hits])[0] / total


def _epoch_line(row: dict[str, float], epochs: int) -> str:
    recall = ""
    if "recall_at_20" in row:
        recall = f"recall@20 {row['recall_at_20']:.4f}  ".replace(" 0.", " .")
    return (
        f"epoch {row['epoch']:.0f}/{epochs}  loss {row['loss']:.3f}  {recall}"
        f"{row['events_per_second']:,.0f} events/s"
    )


def _summary(run: TrainingRun) -> dict[str, float | str]:
    summary: dict[str, float | str] = {
        "best_epoch": run.best_epoch,
        "seconds": round(run.seconds, 3),
        "device": run.hidden.device.type,
    }
    if run.processes.count > 1:
        summary["processes"] = run.processes.count
    if run.best_recall >= 0:
        summary["best_recall_at_20"] = run.best_recall
    if run.resumed:
        summary["resumed"] = run.resumed
    return summary


def _torch_seed(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)
