"""Sessions in, next-item scores out: GRU4Rec behind the common recommender interface."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models.base import EpochDone, FitReport, PositionScores, Progress
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.cold_bias import cold_bias
from crossrec_pipeline.models.gru4rec.compiled import is_for_kernels
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.content_head import PREFIX as CONTENT
from crossrec_pipeline.models.gru4rec.content_head import ContentHead
from crossrec_pipeline.models.gru4rec.event_inputs import PREFIX as EVENTS
from crossrec_pipeline.models.gru4rec.event_inputs import EventMaps, EventReading, require_events
from crossrec_pipeline.models.gru4rec.event_means import fold_means
from crossrec_pipeline.models.gru4rec.hidden_states import (
    last_states,
    prediction_states,
    score_blocks,
)
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork, folded
from crossrec_pipeline.models.gru4rec.new_rows import NewRows
from crossrec_pipeline.models.gru4rec.processes import current_processes
from crossrec_pipeline.models.gru4rec.session_states import SessionStates
from crossrec_pipeline.models.gru4rec.train import train_network, validation_recall
from crossrec_pipeline.models.inner_product.factors import ItemFactors, PositionFactors
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_BESIDE = (CONTENT, EVENTS)
"""What the names of tensors begin with that are not the network's."""


class GRU4Rec:
    """Recurrent next-item model (Hidasi et al. 2016; Hidasi and Karatzoglou 2018).

    Parameters
    ----------
    config
        What to train and how; see `preset` for named ones.
    progress_bar
        Whether `fit` draws a bar on stderr; None draws one if that is a terminal.
    content
        What is known of the vocabulary's items, for configurations that read it; None knows their
        types only.
    """

    kind: ClassVar[str] = "gru4rec"

    def __init__(
        self,
        config: GRU4RecConfig | None = None,
        progress_bar: bool | None = None,
        *,
        content: ItemContent | None = None,
    ) -> None:
        self._config = config or GRU4RecConfig()
        self._content = content
        self._head: ContentHead | None = None
        self._events: EventMaps | None = None
        self._reads_events = False
        self._progress_bar = progress_bar
        self._network: GRU4RecNetwork | None = None
        self._states: tuple[GRU4RecNetwork, SessionStates] | None = None

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
        *,
        checkpoints: Checkpoints | None = None,
        on_epoch: EpochDone | None = None,
    ) -> FitReport:
        """Learn from train; stop early, and keep the best epoch's weights, by validation.

        An interrupted or failed fit leaves the model as it was.

        Parameters
        ----------
        train, vocabulary
            Sessions to learn from, and the items they are of.
        validation
            Sessions for early stopping.
        progress
            Receives a line now and then.
        checkpoints
            Where to keep the state of the training. A fit with the same sessions and
            configuration that finds one there goes on from it, and comes to the same weights as
            one that was never broken off. Call its `remove` when the model has been saved.
        on_epoch
            Receives each epoch's row of the history when it is done.

        Raises
        ------
        TrainingError
            If there is nothing to learn from, no such device, event inputs are asked for and the
            sessions have none, or the loss is not a number.
        """
        if self._config.device == "cuda" and not torch.cuda.is_available():
            raise TrainingError(
                "GRU4Rec: device='cuda' was asked for, but torch finds no CUDA device. Take "
                "device='auto' or 'cpu', or install torch with CUDA and a driver."
            )
        content = self._content or ItemContent.unknown(vocabulary)
        if "text" in self._config.content and not content.has_text.any():
            raise TrainingError(
                "GRU4Rec: content names the items' text, and no item has a text vector. Embed the "
                "items first (materialise content/embeddings), or leave text out of content."
            )
        network, report = train_network(
            vocabulary.n_items,
            self._config,
            train,
            validation,
            training_device(self._config),
            progress,
            self._progress_bar,
            checkpoints=checkpoints,
            on_epoch=on_epoch,
            content=content,
        )
        self._network = folded(network, self._config).eval()
        self._head, self._events, shift = None, network.events, None
        if self._events is not None:
            self._network.events = None
            inputs = require_events(train, self._config.event_inputs, "train")
            shift = fold_means(self._network, self._events, inputs)
            if validation is not None and validation.n_predictions:
                # What early stopping goes by is reached only by those who give event inputs.
                report.summary["recall_at_20_by_ids"] = validation_recall(
                    self._network, validation, None, current_processes()
                )
        if network.content is not None and self._config.content:
            bias = 0.0
            if validation is not None and validation.n_predictions:
                bias = cold_bias(
                    self._network, network.content, validation, self._config.seed, shift
                )
            self._head = ContentHead.of(network.content, content, bias, shift)
            report.summary["cold_bias"] = round(bias, 4)
        return report

    @property
    def head(self) -> ContentHead | None:
        """What was learnt of content; None for a model of ids alone."""
        return self._head

    def grown(self, rows: NewRows) -> "GRU4Rec":
        """Return a model that knows more items, as the last ones; see `ContentHead.rows`.

        What it scores of the items known before is the same.
        """
        network = self._fitted()
        device = network.output_bias.device
        more = (
            torch.from_numpy(part).to(device) for part in (rows.vectors, rows.weight, rows.bias)
        )
        vectors, weight, bias = more
        with torch.random.fork_rng(devices=[]):
            whole = GRU4RecNetwork(0, self._config.folded(), torch.Generator())
        whole.n_items = network.n_items + len(bias)
        whole.gru, whole.skip = network.gru, network.skip
        whole.input_embedding = nn.Parameter(torch.cat([network.input_embedding.detach(), vectors]))
        whole.output_weight = (
            whole.input_embedding
            if network.tied
            else nn.Parameter(torch.cat([network.output_weight.detach(), weight]))
        )
        whole.output_bias = nn.Parameter(torch.cat([network.output_bias.detach(), bias]))
        other = GRU4Rec(self._config, self._progress_bar)
        other._network, other._head = whole.eval(), self._head
        other._events, other._reads_events = self._events, self._reads_events
        return other

    @property
    def event_inputs(self) -> EventMaps | None:
        """What was learnt of the inputs that events have besides items; None for nothing."""
        return self._events

    def with_event_inputs(self) -> "GRU4Rec":
        """Return the same model, which reads what a store knows of its events.

        It needs such stores then. Sessions that are given as item ids alone it scores as before.
        """
        if self._events is None:
            return self
        other = GRU4Rec(self._config, self._progress_bar)
        other._network, other._head, other._events = self._fitted(), self._head, self._events
        other._reads_events = True
        return other

    def _reading(self, store: SessionStore) -> EventReading | None:
        if self._events is None or not self._reads_events:
            return None
        return EventReading(self._events, store, "what is to be ranked")

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Score every item as the next one of each (non-empty) session, float32 [B, n_items].

        Raises
        ------
        ValueError
            If a session is empty or holds an index that is not in the vocabulary.
        """
        network = self._fitted()
        if len(sessions) == 0:
            return np.zeros((0, network.n_items), dtype=np.float32)
        for number, session in enumerate(sessions):
            if len(session) == 0:
                raise ValueError(f"session {number} is empty; there is nothing to score it by")
            if not 0 <= np.min(session) <= np.max(session) < network.n_items:
                raise ValueError(
                    f"session {number} holds an item index outside 0 … {network.n_items - 1}"
                )
        with torch.no_grad():
            return network.scores(self._last_hidden(network, sessions)).cpu().numpy()

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        """Score every event of a store after each session's first, each exactly once.

        Each session runs through the GRU once for all its positions. A block holds at most about
        64 MB of scores; blocks come longest session first.
        """
        network = self._fitted()
        for session, position, _, hidden in prediction_states(network, store, self._reading(store)):
            for rows in score_blocks(hidden, network.n_items):
                with torch.no_grad():
                    scores = network.scores(hidden[rows])
                yield PositionScores(session[rows], position[rows], scores.cpu().numpy())

    def item_factors(self) -> ItemFactors:
        """Return what every item is scored with; see `FactoredScorer`."""
        network = self._fitted()
        return ItemFactors(network.output_weight.detach(), network.output_bias.detach())

    def position_factors(self, store: SessionStore) -> Iterator[PositionFactors]:
        """Give every event of a store after each session's first its hidden state, once.

        Each session runs through the GRU once for all its positions; blocks come longest session
        first.
        """
        reading = self._reading(store)
        for session, position, _, hidden in prediction_states(self._fitted(), store, reading):
            yield PositionFactors(session, position, hidden)

    def config(self) -> dict[str, Any]:
        """Return the configuration as JSON-like values; `restore` takes it back."""
        return self._config.model_dump(mode="json")

    def save_weights(self, path: Path) -> None:
        """Write the weights as one safetensors file; constrained embeddings are written once."""
        network = self._fitted()
        weights = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
        if network.tied:
            del weights["output_weight"]
        for more in (self._head, self._events):
            if more is not None:
                tensors = more.tensors()
                weights.update({name: torch.from_numpy(value) for name, value in tensors.items()})
        with atomic_file(path) as partial:
            save_file(weights, partial)

    @classmethod
    def restore(cls, config: dict[str, Any], weights: Path, vocabulary: Vocabulary) -> Self:
        """Make a fitted model from what `config` and `save_weights` gave.

        A model trained with ``device="cuda"`` runs on the CPU where there is no CUDA device.

        Raises
        ------
        BundleError
            If the configuration or the file is not a GRU4Rec's, or does not fit the vocabulary.
        """
        try:
            model = cls(GRU4RecConfig(**config))
            tensors = load_file(weights)
        except ValidationError as error:
            raise BundleError(
                f"The configuration beside {weights} is not a GRU4Rec's ({error.error_count()} "
                f"problems, first: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}). "
                "Train the model again."
            ) from None
        except (OSError, SafetensorError) as error:
            raise BundleError(
                f"{weights} cannot be read as safetensors ({error}). Restore the bundle from a "
                "copy, or train the model again."
            ) from error
        with torch.random.fork_rng(devices=[]):
            network = GRU4RecNetwork(vocabulary.n_items, model._config.folded(), torch.Generator())
        beside = {n: value.numpy() for n, value in tensors.items() if n.startswith(_BESIDE)}
        model._head = ContentHead.from_tensors(beside)
        model._events = EventMaps.from_tensors(beside)
        tensors = {name: value for name, value in tensors.items() if name not in beside}
        if network.tied and "input_embedding" in tensors:
            tensors["output_weight"] = tensors["input_embedding"]
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise BundleError(
                f"{weights} does not fit its configuration and a vocabulary of "
                f"{vocabulary.n_items} items: {error} Restore the bundle from a copy, or train "
                "the model again."
            ) from None
        device = training_device(model._config)
        model._network = network.to(device).eval()
        model._events = None if model._events is None else model._events.to(device)
        return model

    def _last_hidden(self, network: GRU4RecNetwork, sessions: Sequence[np.ndarray]) -> torch.Tensor:
        if not is_for_kernels(network.output_bias):
            return last_states(network, sessions)
        if self._states is None or self._states[0] is not network:
            tensors = {name: value.numpy() for name, value in network.state_dict().items()}
            self._states = network, SessionStates(self._config.folded(), tensors)
        return torch.from_numpy(self._states[1].last_hidden(sessions))

    def _fitted(self) -> GRU4RecNetwork:
        if self._network is None:
            raise TrainingError("GRU4Rec has learnt nothing yet. Call fit, or restore a bundle.")
        return self._network


def training_device(config: GRU4RecConfig) -> torch.device:
    """Return the configured device, or the CPU where there is no CUDA device."""
    wants_cuda = config.device in ("auto", "cuda")
    return torch.device("cuda" if wants_cuda and torch.cuda.is_available() else "cpu")
