"""From the items of a session to the likeliest next items, by a model bundle and nothing else."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossrec_pipeline.errors import BundleError, SettingsError
from crossrec_pipeline.models.base import top_k as best_items
from crossrec_pipeline.models.registry import Bundle, LoadedBundle, champion_path, load_bundle
from crossrec_pipeline.serving.item_names import ItemNames
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import load_settings


@dataclass(frozen=True)
class Recommendation:
    """One recommended item.

    Attributes
    ----------
    item_id, title, item_type
        As in the catalogue.
    score
        The model's probability that this item comes next, among all items it knows: the softmax
        of its scores, before any filter. It falls along a list and can be compared between
        sessions of one model; for models that were not trained to give probabilities (a ranking
        loss) only the order means something.
    """

    item_id: str
    title: str
    item_type: str
    score: float


class SessionRecommender:
    """A loaded model that recommends the next items of a session.

    Parameters
    ----------
    loaded
        A bundle from `registry.load_bundle`.
    """

    def __init__(self, loaded: LoadedBundle) -> None:
        self._model = loaded.model
        self._vocabulary = loaded.vocabulary
        self._bundle = loaded.bundle
        self._names = ItemNames(loaded.vocabulary)

    @property
    def bundle(self) -> Bundle:
        """Where the model came from, with its manifest."""
        return self._bundle

    @property
    def vocabulary(self) -> Vocabulary:
        """The items that can be recommended."""
        return self._vocabulary

    def recommend_next_items(
        self,
        session: Sequence[str],
        top_k: int = 10,
        *,
        types: Collection[str] | None = None,
        exclude_seen: bool = False,
    ) -> list[Recommendation]:
        """Recommend what comes after a session, best first.

        Parameters
        ----------
        session
            Items in the order they were used, oldest first: ids (``Movie_Creed III``) or titles
            (``creed iii``), of any mixture of types.
        top_k
            How many items; fewer come back only when fewer pass the filters.
        types
            Recommend items of these types only, such as ``["Book"]``; all by default.
        exclude_seen
            Leave out the items of the session.

        Raises
        ------
        UnknownItemError
            Naming every item the model does not know, with near matches, and every title that
            several items have.
        SettingsError
            If the session is empty, `top_k` is not positive, or a type is unknown.
        """
        if isinstance(session, str):
            raise SettingsError(f"session must be a list of items; write [{session!r}].")
        if len(session) == 0:
            raise SettingsError("The session is empty; name at least one item.")
        if top_k < 1:
            raise SettingsError(f"top_k={top_k} must be at least 1.")
        allowed = self._items_of_types(types)
        seen = self._names.find(session)
        if exclude_seen:
            allowed[seen] = False
        scores = self._model.score([seen])
        indexes, best = best_items(scores, top_k, allowed)
        probabilities = np.exp(best[0].astype(np.float64) - _log_sum_exp(scores[0]))
        items = self._vocabulary.frame[indexes[0]].select("item_id", "title", "item_type")
        return [
            Recommendation(*item, score=float(probability))
            for item, probability in zip(items.iter_rows(), probabilities, strict=True)
        ]

    def _items_of_types(self, types: Collection[str] | None) -> np.ndarray:
        """Mark the items of the named types, bool [n_items]."""
        if types is None:
            return np.ones(self._vocabulary.n_items, dtype=bool)
        known = {name.casefold(): code for code, name in enumerate(self._vocabulary.types)}
        names = [types] if isinstance(types, str) else list(types)
        unknown = [name for name in names if name.casefold() not in known]
        if unknown or not names:
            found = ", ".join(repr(name) for name in unknown) or "none at all"
            raise SettingsError(
                f"types names {found}; this model knows {', '.join(self._vocabulary.types)}."
            )
        return np.isin(self._vocabulary.type_codes, [known[name.casefold()] for name in names])


def load_recommender(path: Path | None = None) -> SessionRecommender:
    """Load a model that recommends.

    Parameters
    ----------
    path
        Directory of a bundle; the champion of ``CROSSREC_DATA_DIR`` by default.

    Raises
    ------
    BundleError
        If there is no champion yet, or the bundle is not whole.
    """
    return SessionRecommender(load_bundle(path or _path_of_champion()))


def recommend_next_items(
    session: Sequence[str],
    top_k: int = 10,
    types: Collection[str] | None = None,
    exclude_seen: bool = False,
) -> list[Recommendation]:
    """Recommend what comes after a session, by the current champion.

    The champion is loaded at the first call and again whenever another one is promoted. See
    `SessionRecommender.recommend_next_items` for parameters and errors, and `load_recommender`
    for what happens without a champion.
    """
    recommender = _champion.current(_path_of_champion())
    return recommender.recommend_next_items(session, top_k, types=types, exclude_seen=exclude_seen)


class _ChampionCache:
    """The recommender of one bundle; loads again when asked for another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recommender: SessionRecommender | None = None

    def current(self, path: Path) -> SessionRecommender:
        with self._lock:
            if self._recommender is None or self._recommender.bundle.path != path:
                self._recommender = load_recommender(path)
            return self._recommender


_champion = _ChampionCache()


def _path_of_champion() -> Path:
    models_dir = load_settings().models_dir
    path = champion_path(models_dir)
    if path is None:
        raise BundleError(
            f"There is no model in {models_dir} yet: run `make run` or `crossrec run` first, or "
            "point CROSSREC_DATA_DIR at a folder that has one."
        )
    return path


def _log_sum_exp(scores: np.ndarray) -> float:
    scores = scores.astype(np.float64)
    highest = scores.max()
    return float(highest + np.log(np.exp(scores - highest).sum()))
