"""Fitted models and validation sessions in; one recommender that ranks by all of them out."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models.base import FitReport, PositionScores, Progress, Recommender
from crossrec_pipeline.models.candidates import Lists, PositionLists, dense_blocks
from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
from crossrec_pipeline.models.hybrid.config import HybridConfig
from crossrec_pipeline.models.hybrid.examples import Examples
from crossrec_pipeline.models.hybrid.features import ItemKnowledge
from crossrec_pipeline.models.hybrid.learning import learn
from crossrec_pipeline.models.hybrid.members import (
    check_member,
    lists_of_positions,
    lists_of_sessions,
)
from crossrec_pipeline.models.hybrid.ranker import Ranker
from crossrec_pipeline.models.hybrid.reranker import Reranker
from crossrec_pipeline.models.hybrid.train_facts import TrainFacts
from crossrec_pipeline.models.popularity import log_shares
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_ATTRIBUTES = ("creator_offsets", "creators", "genre_offsets", "genres")
_FACTS = ("log_support", "trends", "age")


class Hybrid:
    """Ranks the items that any member names by what all members say of them.

    Each member's scores become shares of 1 (a softmax for a network, division by the sum for
    lists). The blend adds them up with weights for each type of item. Its best items are ranked
    again by boosted trees that see shares, ranks, popularity and trends, the session's types and
    repeats, and shared creators and genres. Items that no member names follow by popularity.

    Weights and trees are learnt from validation, on which no member was trained.

    Parameters
    ----------
    members
        Fitted models by name, each with items that can be listed (see `check_member`).
    attributes
        Creators and genres; None where nothing is known.
    config
        See `HybridConfig`.

    Raises
    ------
    SettingsError
        If a member's best items cannot be listed.
    """

    kind: ClassVar[str] = "hybrid"

    def __init__(
        self,
        members: Mapping[str, Recommender],
        attributes: ItemAttributes | None = None,
        config: HybridConfig | None = None,
    ) -> None:
        for name, member in members.items():
            check_member(name, member)
        self._members = dict(members)
        self._attributes = attributes
        self._config = config or HybridConfig()
        self._ranker: Ranker | None = None
        self._items: ItemKnowledge | None = None
        self._floor: np.ndarray | None = None

    def fit(
        self,
        train: SessionStore,
        vocabulary: Vocabulary,
        validation: SessionStore | None = None,
        progress: Progress | None = None,
    ) -> FitReport:
        """Learn weights and trees from validation; of train it counts items' events.

        Raises
        ------
        TrainingError
            If there is no validation prediction to learn from.
        """
        if validation is None or validation.n_predictions == 0:
            raise TrainingError(
                "A hybrid learns from validation sessions, and there are none of two events or "
                "more. Raise the validation share."
            )
        self._know(train, vocabulary)
        items, config = self._known_items, self._config
        sample = _sessions_up_to(validation, config.max_predictions, config.seed)
        members = list(self._members.values())
        blocks = list(lists_of_positions(members, sample, config.n_best))
        examples = Examples.of(blocks, sample, vocabulary.n_items, config.n_best)
        learnt = learn(
            examples, list(self._members), items, len(vocabulary.types), config, progress
        )
        self._ranker = Ranker(learnt.weights, learnt.reranker, config.n_best, config.n_reranked)
        weights = {
            f"weight_of_{name}_for_{item_type}": float(learnt.weights[code, member])
            for member, name in enumerate(self._members)
            for code, item_type in enumerate(vocabulary.types)
        }
        gains = learnt.reranker.importance() if learnt.reranker else {}
        importance = {f"gain_of_{name}": gain for name, gain in list(gains.items())[:10]}
        return FitReport(summary={**learnt.summary, **weights, **importance})

    def over(
        self,
        members: Mapping[str, Recommender],
        train: SessionStore,
        vocabulary: Vocabulary,
        attributes: ItemAttributes | None = None,
    ) -> "Hybrid":
        """Return a hybrid of other members of the same kinds with what this one has learnt.

        For members that were trained again, on more sessions. The vocabulary may be another one,
        so creators and genres are given anew.

        Raises
        ------
        TrainingError
            If the names of the members or the types of the items are others.
        """
        ranker = self._fitted
        if list(members) != list(self._members) or len(vocabulary.types) != len(ranker.weights):
            raise TrainingError(
                f"The hybrid was learnt over {', '.join(self._members)} and "
                f"{len(ranker.weights)} types; give as many types and the same members, in order."
            )
        other = Hybrid(members, attributes, self._config)
        other._know(train, vocabulary)
        other._ranker = ranker
        return other

    def floor(self) -> np.ndarray:
        """Return `log_shares` of train, which are below all scores of lists."""
        if self._floor is None:
            raise TrainingError("This hybrid has not learnt anything yet: call fit.")
        return self._floor

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Score every item as the next one of each (non-empty) session, float32 [B, n_items]."""
        members = list(self._members.values())
        queries, lists = lists_of_sessions(members, sessions, self._config.n_best)
        return self._fitted.lists(lists, queries, self._known_items).dense(self.floor())

    def position_lists(self, store: SessionStore) -> Iterator[PositionLists]:
        """List items for every event of a store after each session's first, each exactly once."""
        members = list(self._members.values())
        for block in lists_of_positions(members, store, self._config.n_best):
            ranked: Lists = self._fitted.lists(block.lists, block.queries, self._known_items)
            yield PositionLists(block.session, block.position, ranked)

    def score_positions(self, store: SessionStore) -> Iterator[PositionScores]:
        """Score every event of a store after each session's first, each exactly once."""
        return dense_blocks(self.position_lists(store), self.floor())

    def config(self) -> dict[str, Any]:
        """Return the options, and kinds and options of the members."""
        members = {
            name: {"kind": member.kind, "config": member.config()}
            for name, member in self._members.items()
        }
        return {"members": members, "options": self._config.model_dump()}

    def save_weights(self, path: Path) -> None:
        """Write what was learnt, the members' weights included, as one safetensors file."""
        ranker, items = self._fitted, self._known_items
        text = ranker.reranker.text if ranker.reranker else ""
        tensors = {
            "weights": ranker.weights,
            "reranker": np.frombuffer(text.encode(), dtype=np.uint8),
            "floor": self.floor(),
            **{name: getattr(items.facts, name) for name in _FACTS},
            **{name: getattr(items.attributes, name) for name in _ATTRIBUTES},
        }
        with tempfile.TemporaryDirectory() as folder:
            for name, member in self._members.items():
                file = Path(folder) / "weights.safetensors"
                member.save_weights(file)
                for tensor, value in load_file(file).items():
                    tensors[f"{name}/{tensor}"] = value
        save_file(tensors, path)

    @classmethod
    def restore(cls, config: dict[str, Any], weights: Path, vocabulary: Vocabulary) -> Self:
        """Make a fitted model from what `config` and `save_weights` gave.

        Raises
        ------
        BundleError
            If the file is not a hybrid's, or of another number of items.
        """
        tensors = load_file(weights)
        floor = tensors["floor"]
        if len(floor) != vocabulary.n_items:
            raise BundleError(
                f"{weights} has scores of {len(floor)} items, but the vocabulary has "
                f"{vocabulary.n_items} items. Use the vocabulary the model was trained with."
            )
        try:
            options = HybridConfig(**config["options"])
        except ValidationError as error:
            raise BundleError(
                f"The configuration beside {weights} is not a hybrid's ({error}). Train the model "
                "again."
            ) from None
        members = _restore_members(config["members"], tensors, vocabulary)
        attributes = ItemAttributes(**{name: tensors[name] for name in _ATTRIBUTES})
        model = cls(members, attributes, options)
        text = tensors["reranker"].tobytes().decode()
        model._ranker = Ranker(
            tensors["weights"],
            Reranker(text) if text else None,
            options.n_best,
            options.n_reranked,
        )
        facts = TrainFacts(**{name: tensors[name] for name in _FACTS})
        model._items = ItemKnowledge(facts, attributes, vocabulary.type_codes)
        model._floor = floor
        return model

    def _know(self, train: SessionStore, vocabulary: Vocabulary) -> None:
        n_items = vocabulary.n_items
        self._items = ItemKnowledge(
            TrainFacts.of(train, n_items),
            self._attributes or ItemAttributes.unknown(n_items),
            vocabulary.type_codes,
        )
        self._floor = log_shares(np.bincount(train.item_index, minlength=n_items))

    @property
    def _known_items(self) -> ItemKnowledge:
        if self._items is None:
            raise TrainingError("This hybrid has not learnt anything yet: call fit.")
        return self._items

    @property
    def _fitted(self) -> Ranker:
        if self._ranker is None:
            raise TrainingError("This hybrid has not learnt anything yet: call fit.")
        return self._ranker


def _sessions_up_to(store: SessionStore, n_predictions: int, seed: int) -> SessionStore:
    """Draw sessions, in their order, with about that many predictions in all."""
    if store.n_predictions <= n_predictions:
        return store
    drawn = np.random.default_rng(seed).permutation(store.n_sessions)
    enough = np.searchsorted(np.cumsum(store.lengths[drawn] - 1), n_predictions) + 1
    return store.only(np.sort(drawn[:enough]))


def _restore_members(
    configs: Mapping[str, Mapping[str, Any]],
    tensors: Mapping[str, np.ndarray],
    vocabulary: Vocabulary,
) -> dict[str, Recommender]:
    from crossrec_pipeline.models.registry import model_class  # it knows this module by name

    members = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, config in configs.items():
            file = Path(folder) / f"{name}.safetensors"
            own = {
                tensor.removeprefix(f"{name}/"): value
                for tensor, value in tensors.items()
                if tensor.startswith(f"{name}/")
            }
            save_file(own, file)
            members[name] = model_class(config["kind"]).restore(config["config"], file, vocabulary)
    return members
