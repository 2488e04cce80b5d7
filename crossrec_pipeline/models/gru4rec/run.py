"""A training under way: all that changes from step to step, to be written down and taken up."""

import time

import torch
from torch import Tensor

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec.batches import EventLookUp, session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.data_parallel import OwnShare
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.order import SessionOrders
from crossrec_pipeline.models.gru4rec.processes import Processes
from crossrec_pipeline.models.gru4rec.state import State
from crossrec_pipeline.models.gru4rec.steps import OWN_PARTS, TrainingStep
from crossrec_pipeline.sessions.store import SessionStore

REMEDY = (
    "Take a lower learning_rate, or the default init_range, and train again; if it stays, look "
    "for damaged sessions."
)


class TrainingRun:
    """Where a training is: in which epoch, how far, with which weights and figures.

    Parameters
    ----------
    network, step
        What is trained, and what trains it; both are changed in place.
    config
        What to train and how.
    train
        Sessions to learn from.
    order_of
        The order of sessions in each epoch.
    processes
        Who trains; each takes an equal share of sessions and lanes.
    event_rows
        Says what is read of train's events besides their items; None for nothing.
    """

    _FIGURES = ("loss_sum", "done", "n_steps", "epoch_seconds")

    def __init__(
        self,
        network: GRU4RecNetwork,
        step: TrainingStep,
        config: GRU4RecConfig,
        train: SessionStore,
        order_of: SessionOrders,
        processes: Processes,
        event_rows: EventLookUp | None = None,
    ) -> None:
        self.network = network
        self.step = step
        self.config = config
        self.processes = processes
        self._train = train
        self._order_of = order_of
        self._event_rows = event_rows
        self.history: list[dict[str, float]] = []
        self.best_recall, self.best_epoch = -1.0, 0
        self._best_weights: dict[str, Tensor] = {}
        self.finished = False
        self.resumed = 0
        self._seconds_before, self._started = 0.0, time.perf_counter()
        self._begin_epoch(1)

    def _begin_epoch(self, epoch: int) -> None:
        n_lanes = self.config.batch_size // self.processes.count
        order = self._order_of(epoch)
        own = OwnShare(order, self.processes)
        self.epoch = epoch
        self.n_predictions = self._order_of.n_predictions(order)
        self.windows = session_parallel_windows(
            self._train, own, n_lanes, self.config.bptt_steps, self._event_rows
        )
        self.hidden = self.network.initial_state(n_lanes)
        self.loss_sum, self.done, self.n_steps, self.epoch_seconds = 0.0, 0, 0, 0.0

    @property
    def seconds(self) -> float:
        """Time spent on this training so far, without the time it was broken off."""
        return self._seconds_before + time.perf_counter() - self._started

    @property
    def share_of_epoch(self) -> float:
        """How much of the epoch has been trained on."""
        return self.done / self.n_predictions

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.finished:
            return f"the end of epoch {self.epoch}, the last one"
        return f"epoch {self.epoch}, {100 * self.share_of_epoch:.0f} %"

    def learning_rate(self) -> float:
        """Return the step size that is due now."""
        rate = self.config.learning_rate
        if self.config.learning_rate_decay == "linear":
            return rate * (1 - (self.epoch - 1 + self.share_of_epoch) / self.config.epochs)
        return rate

    def close_epoch(self, recall: float | None) -> dict[str, float]:
        """Take down an epoch's figures, keep its weights if they are the best, go to the next.

        Returns
        -------
        dict
            The epoch's row of the history.
        """
        row: dict[str, float] = {
            "epoch": self.epoch,
            "loss": self.loss_sum / self.n_predictions,
            "events_per_second": self.n_predictions / self.epoch_seconds,
        }
        if recall is not None:
            row["recall_at_20"] = recall
        self.history.append(row)
        if recall is None:
            self.best_epoch = self.epoch
        elif recall > self.best_recall:
            self.best_recall, self.best_epoch = recall, self.epoch
            self._best_weights = {name: value.clone() for name, value in self._weights().items()}
        if self.epoch == self.config.epochs or self._out_of_patience(recall):
            self.finished = True
        else:
            self._begin_epoch(self.epoch + 1)
        return row

    def _out_of_patience(self, recall: float | None) -> bool:
        return recall is not None and self.epoch - self.best_epoch >= self.config.patience

    def take_best_weights(self) -> None:
        """Give the network the weights of its best epoch."""
        if self._best_weights:
            _copy_into(self._weights(), self._best_weights)

    def check_weights(self) -> None:
        """Refuse weights that are not finite numbers.

        Raises
        ------
        TrainingError
            If there are any.
        """
        if not all(bool(torch.isfinite(weights).all()) for weights in self._weights().values()):
            raise TrainingError(
                f"GRU4Rec: a weight is not finite after epoch {self.epoch}, step {self.n_steps}. "
                f"{REMEDY}"
            )

    def state(self) -> State:
        """Return everything that decides how training goes on, and its figures so far.

        All processes must call it; that of the first one knows what the others have of their own.
        """
        step = self.step.state()
        own = {
            "step": {name: step.pop(name) for name in OWN_PARTS if name in step},
            "windows": self.windows.state(),
            "hidden": self.hidden.cpu(),
            "random": _random_state(self.hidden.device),
        }
        return {
            "weights": self._weights(),
            "best_weights": self._best_weights,
            "step": step,
            "processes": {
                str(rank): its_own
                for rank, its_own in enumerate(self.processes.states_at_first(own))
            },
            "epoch": self.epoch,
            "finished": self.finished,
            "history": self.history,
            "best_recall": self.best_recall,
            "best_epoch": self.best_epoch,
            "figures": {name: getattr(self, name) for name in self._FIGURES},
            "seconds": self.seconds,
            "resumed": self.resumed,
        }

    def load_state(self, state: State) -> None:
        """Go on where a run with the same arguments was."""
        self._begin_epoch(state["epoch"])
        _copy_into(self._weights(), state["weights"])
        self._best_weights = {
            name: weights.to(self.hidden.device, copy=True)
            for name, weights in state["best_weights"].items()
        }
        own = state["processes"][str(self.processes.rank)]
        self.step.load_state({**state["step"], **own["step"]})
        self.windows.load_state(own["windows"])
        self.hidden.copy_(own["hidden"])
        _load_random_state(own["random"], self.hidden.device)
        self.finished = state["finished"]
        self.history = state["history"]
        self.best_recall, self.best_epoch = state["best_recall"], state["best_epoch"]
        for name in self._FIGURES:
            setattr(self, name, state["figures"][name])
        self._seconds_before, self._started = state["seconds"], time.perf_counter()
        self.resumed = state["resumed"] + 1

    def _weights(self) -> dict[str, Tensor]:
        """Return each weight once, also where two names share it."""
        return {name: value.detach() for name, value in self.network.named_parameters()}


def _copy_into(tensors: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        tensor.copy_(values[name])


def _random_state(device: torch.device) -> State:
    """Return where torch's generators are, which dropout draws from."""
    on_device = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state(), **on_device}


def _load_random_state(state: State, device: torch.device) -> None:
    torch.set_rng_state(state["cpu"].clone())
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].clone(), device)
