"""Fitted models and validation sessions in; one recommender that ranks by all of them out."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.models.additions import Additions
from crossrec_pipeline.models.base import FitReport, PositionScores, Progress, Recommender
from crossrec_pipeline.models.candidates import ListModel, Lists, PositionLists, dense_blocks
from crossrec_pipeline.models.growth import GrowingModel
from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
from crossrec_pipeline.models.hybrid.config import HybridConfig
from crossrec_pipeline.models.hybrid.examples import Examples
from crossrec_pipeline.models.hybrid.features import LINKED, ItemKnowledge
from crossrec_pipeline.models.hybrid.learning import learn
from crossrec_pipeline.models.hybrid.members import (
    check_member,
    check_vocabulary,
    lists_of_positions,
    lists_of_sessions,
)
from crossrec_pipeline.models.hybrid.ranker import Ranker
from crossrec_pipeline.models.hybrid.reranker import Reranker
from crossrec_pipeline.models.hybrid.train_facts import TrainFacts
from crossrec_pipeline.models.item_links import LinkedItems
from crossrec_pipeline.models.popularity import log_shares
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

if TYPE_CHECKING:
    from crossrec_pipeline.models.gru4rec.content_head import ContentHead

_ATTRIBUTES = ("creator_offsets", "creators", "genre_offsets", "genres")
_LINKS = ("link_offsets", "links")
_WORDS = ("creator_words", "genre_words")
_N_LISTED = "n_listed"
_FACTS = ("log_support", "trends", "age")


class Hybrid:
    """Ranks the items that any member names by what all members say of them.

    Each member's scores become shares of 1 (a softmax for a network, division by the sum for
    lists). The blend adds them up with weights for each type of item. Its best items are ranked
    again by boosted trees that see shares, ranks, popularity and trends, the session's types and
    repeats, shared creators and genres, and links. Items that no member names follow by popularity.

    Weights and trees are learnt from validation, on which no member was trained.

    Parameters
    ----------
    members
        Fitted models by name, each with items that can be listed (see `check_member`).
    attributes
        Creators, genres and links; None where nothing is known.
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
        self._n_listed: int | None = None

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
            If there is no validation prediction to learn from, or a member is of another
            vocabulary.
        """
        if validation is None or validation.n_predictions == 0:
            raise TrainingError(
                "A hybrid learns from validation sessions, and there are none of two events or "
                "more. Raise the validation share."
            )
        for name, member in self._members.items():
            check_vocabulary(name, member, vocabulary.n_items)
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
        so creators, genres and links are given anew.

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

    @property
    def head(self) -> "ContentHead | None":
        """What its network has learnt of content.

        None where that goes by ids alone, or there is not exactly one among members that list.
        """
        network = self._members.get(self._growing_member or "")
        return network.head if isinstance(network, GrowingModel) else None

    def grown(self, rows: Additions) -> "Hybrid":
        """Return a hybrid that knows more items, as the last ones; see `growth.find_new_items`.

        Its network scores them. The other members list what they have listed so far, and pass over
        events of new items. Creators and genres of new items are compared with those of the others
        if the bundle has kept the words (all do that were made since new items can be taken up).
        Links of new items hold from both ends.

        Raises
        ------
        TrainingError
            If it has no `head`.
        """
        name, head = self._growing_member, self.head
        network = self._members.get(name or "")
        if name is None or head is None or not isinstance(network, GrowingModel):
            raise TrainingError(
                "This hybrid cannot take up new items: that takes one network among its members, "
                "trained with content. Train gru4rec with CROSSREC_TRAINING__CONTENT, such as "
                "type,text,genres,creators, and the hybrid again."
            )
        items, floor = self._known_items, self.floor()
        codes = {item_type: code for code, item_type in enumerate(head.words["types"])}
        type_codes = np.array([codes[item_type] for item_type in rows.items["item_type"]])
        other = Hybrid({**self._members, name: network.grown(rows)}, config=self._config)
        other._ranker = self._fitted
        other._items = items.grown(rows.items, type_codes)
        # The floor is ln((events + 1) / all): without the first part it is that of no events.
        unseen = (floor - items.facts.log_support).min()
        other._floor = np.pad(floor, (0, rows.n_items), constant_values=unseen)
        other._n_listed = len(floor) if self._n_listed is None else self._n_listed
        return other

    @property
    def reads_links(self) -> bool:
        """Whether its trees look at links; those of earlier versions do not."""
        reranker = None if self._ranker is None else self._ranker.reranker
        return reranker is not None and set(LINKED) <= set(reranker.names)

    @property
    def _growing_member(self) -> str | None:
        scoring = [
            name for name, member in self._members.items() if not isinstance(member, ListModel)
        ]
        return scoring[0] if len(scoring) == 1 else None

    def floor(self) -> np.ndarray:
        """Return `log_shares` of train, which are below all scores of lists."""
        if self._floor is None:
            raise TrainingError("This hybrid has not learnt anything yet: call fit.")
        return self._floor

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Score every item as the next one of each (non-empty) session, float32 [B, n_items]."""
        members = list(self._members.values())
        queries, lists = lists_of_sessions(members, sessions, self._config.n_best, self._n_listed)
        return self._fitted.lists(lists, queries, self._known_items).dense(self.floor())

    def position_lists(self, store: SessionStore) -> Iterator[PositionLists]:
        """List items for every event of a store after each session's first, each exactly once."""
        members = list(self._members.values())
        for block in lists_of_positions(members, store, self._config.n_best, self._n_listed):
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
            **_kept_links(items.attributes),
            **_kept_words(items.attributes),
        }
        if self._n_listed is not None:
            tensors[_N_LISTED] = np.array([self._n_listed])
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
        n_listed = int(tensors[_N_LISTED][0]) if _N_LISTED in tensors else None
        members = _restore_members(config["members"], tensors, vocabulary, n_listed)
        creator_words, genre_words = (_read_words(tensors, name) for name in _WORDS)
        attributes = ItemAttributes(
            **{name: tensors[name] for name in _ATTRIBUTES},
            links=_read_links(tensors, vocabulary.n_items),
            creator_words=creator_words,
            genre_words=genre_words,
        )
        model = cls(members, attributes, options)
        model._n_listed = n_listed
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


def _kept_links(attributes: ItemAttributes) -> dict[str, np.ndarray]:
    """Write links, where there are any: elsewhere they cost nothing."""
    links = attributes.links
    if len(links.values) == 0:
        return {}
    return dict(zip(_LINKS, (links.offsets, links.values), strict=True))


def _read_links(tensors: Mapping[str, np.ndarray], n_items: int) -> LinkedItems:
    """Read what `_kept_links` wrote; earlier bundles have none."""
    offsets, values = (tensors.get(name) for name in _LINKS)
    if offsets is None or values is None:
        return LinkedItems.none(n_items)
    return LinkedItems(offsets, values)


def _kept_words(attributes: ItemAttributes) -> dict[str, np.ndarray]:
    """Write what the attributes' numbers stand for as bytes of JSON."""
    kept = {name: getattr(attributes, name) for name in _WORDS}
    return {
        name: np.frombuffer(json.dumps(words, ensure_ascii=False).encode(), dtype=np.uint8)
        for name, words in kept.items()
        if words is not None
    }


def _read_words(tensors: Mapping[str, np.ndarray], name: str) -> tuple[str, ...] | None:
    """Read what `_kept_words` wrote; earlier bundles have none."""
    return tuple(json.loads(tensors[name].tobytes().decode())) if name in tensors else None


def _restore_members(
    configs: Mapping[str, Mapping[str, Any]],
    tensors: Mapping[str, np.ndarray],
    vocabulary: Vocabulary,
    n_listed: int | None,
) -> dict[str, Recommender]:
    """Restore the members; those that list know the first `n_listed` items, None being all."""
    from crossrec_pipeline.models.registry import model_class  # it knows this module by name

    listed = vocabulary if n_listed is None else Vocabulary(vocabulary.frame.head(n_listed))
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
            member = model_class(config["kind"])
            known = listed if issubclass(member, ListModel) else vocabulary
            members[name] = member.restore(config["config"], file, known)
    return members
