"""A champion's name in, all that is needed to answer for it out: engine, items, figures."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.promotions import Champion
from crossrec_pipeline.models.registry import Bundle, bundle_card, open_bundle
from crossrec_pipeline.serving.api.schemas import Evaluation
from crossrec_pipeline.serving.engine.base import Engine, Query
from crossrec_pipeline.serving.engine.load import load_engine
from crossrec_pipeline.serving.export import Export, export_bundle, open_export
from crossrec_pipeline.serving.items.catalogue import ItemCatalogue
from crossrec_pipeline.serving.popular import PopularItems
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_WARM_SESSIONS = 32
_WARM_LENGTH = 20


@dataclass(frozen=True)
class Served:
    """A model that answers. Whoever holds it can finish with it, whatever is served by then.

    Attributes
    ----------
    champion
        Who named it, and why.
    export
        Where all of it was read from.
    bundle
        Of the model.
    vocabulary
        Of the model, and then the items that came after its training.
    engine
        Ranks; used by one thread at a time.
    catalogue
        Details of items.
    popular
        What is recommended where the model knows nothing of a session.
    evaluation
        Its figures on held-out sessions, or None where none were exported.
    """

    champion: Champion
    export: Export
    bundle: Bundle
    vocabulary: Vocabulary
    engine: Engine
    catalogue: ItemCatalogue
    popular: PopularItems
    evaluation: Evaluation | None

    @cached_property
    def kernel(self) -> dict[str, Any]:
        """What ranks, as the engine describes it."""
        return self.engine.description()

    @cached_property
    def card(self) -> str:
        """The model card, Markdown."""
        return bundle_card(self.bundle)

    @cached_property
    def type_codes(self) -> dict[str, int]:
        """Code of each type by its name in lower case."""
        return {name.casefold(): code for code, name in enumerate(self.vocabulary.types)}

    def count_types(self, items: Sequence[int]) -> dict[str, int]:
        """Count item indexes by the name of their type."""
        types = self.vocabulary.types
        counts = np.bincount(self.vocabulary.type_codes[items], minlength=len(types))
        return dict(zip(types, counts.tolist(), strict=True))

    @cached_property
    def model(self) -> dict[str, str]:
        """Which model it is, as every answer names it."""
        return {"name": self.bundle.name, "data_version": self.bundle.data_version}


def open_served(champion: Champion, models_dir: Path, serving_dir: Path) -> Served:
    """Load what a champion needs to answer; its export is made first where there is no whole one.

    Raises
    ------
    BundleError
        If anything of it is missing, truncated or altered.
    """
    export = _export_of(champion, models_dir, serving_dir)
    if export.data_version != champion.data_version:
        raise BundleError(
            f"{export.path} is of the content {export.data_version}, but the champion is "
            f"{champion.data_version}. Delete the folder: it is made again."
        )
    engine, vocabulary, bundle = load_engine(export.bundle_dir, export.engine_dir, export.additions)
    return Served(
        champion=champion,
        export=export,
        bundle=bundle,
        vocabulary=vocabulary,
        engine=engine,
        catalogue=ItemCatalogue.open(export.path),
        popular=PopularItems(vocabulary),
        evaluation=export.figures,
    )


def _export_of(champion: Champion, models_dir: Path, serving_dir: Path) -> Export:
    """Open an export; one that is missing or damaged is made again where the bundle is at hand."""
    path, bundle_dir = (
        folder / champion.kind / champion.version for folder in (serving_dir, models_dir)
    )
    try:
        return open_export(path)
    except BundleError:
        if not bundle_dir.is_dir():
            raise
    return open_export(export_bundle(open_bundle(bundle_dir), serving_dir))


def warm_up(served: Served) -> float:
    """Rank some sessions, so that the first request finds everything compiled and in memory.

    Returns
    -------
    float
        Seconds that the last, warm round took for one session.

    Raises
    ------
    BundleError
        If the engine fails, or ranks nothing.
    """
    rng = np.random.default_rng(0)
    n_items = served.vocabulary.n_items
    sessions = [
        rng.integers(n_items, size=length, dtype=np.int32)
        for length in rng.integers(1, _WARM_LENGTH, size=_WARM_SESSIONS)
    ]
    plain = [Query(session, 10) for session in sessions]
    codes = tuple(range(len(served.vocabulary.types)))
    special = [
        Query(session, 10, codes[:1], session, wants_state=True, wants_influence=True)
        for session in sessions[:2]
    ]
    try:
        served.engine.rank(special)
        served.engine.rank(plain[:1])
        served.engine.rank(plain)
        begin = time.perf_counter()
        rankings = served.engine.rank(plain)
        seconds = time.perf_counter() - begin
    except Exception as error:
        raise BundleError(
            f"{served.bundle.name} was loaded, but cannot rank ({type(error).__name__}: {error}). "
            "Promote another model: `crossrec models list` lists all."
        ) from error
    if not all(len(ranking.items) for ranking in rankings):
        raise BundleError(f"{served.bundle.name} was loaded, but recommends nothing.")
    return seconds / len(plain)
