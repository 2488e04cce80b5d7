"""A small world where genres, creators and words decide what follows, and items come to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from crossrec_pipeline.catalogue.schema import ITEM_LINKS
from crossrec_pipeline.content.embeddings import ItemEmbeddings
from crossrec_pipeline.defs.content import embeddings
from crossrec_pipeline.defs.serving import export
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
from crossrec_pipeline.models.hybrid.model import Hybrid
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.models.neighbours.vstan import VSTAN
from crossrec_pipeline.models.registry import Bundle, promote, save_bundle
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import ContentPart, Settings, load_settings
from crossrec_pipeline_tests.content.item_rows import items_of

MOODS = {
    "Crime": ("Ann Doyle", "a detective hunts the murderer through the dark city"),
    "Love": ("Jane Bronte", "two hearts meet again in a summer of letters and longing"),
    "Space": ("Isaac Verne", "a starship drifts beyond the planets of a dying sun"),
}
N_OF_MOOD = 12
ALL_PARTS: tuple[ContentPart, ...] = ("type", "text", "genres", "creators")


def item(item_id: str, mood: str | None, **values: Any) -> dict[str, Any]:
    """Describe an item; without a mood nothing is said of it."""
    item_type, _, title = item_id.partition("_")
    row = {"item_id": item_id, "item_type": item_type, "title": title, **values}
    if mood is None:
        nothing = {"genres": ["Unknown"], "creators": ["Not Available"], "description": ""}
        return {**row, **nothing, "imputed": ["genres", "creators", "description"]}
    creator, plot = MOODS[mood]
    told = {"genres": [mood], "creators": [creator], "description": plot}
    return {**row, **{name: values.get(name, value) for name, value in told.items()}}


def item_id(mood: str, number: int) -> str:
    """Name an item of the first catalogue: books and movies in turn."""
    return f"{('Book', 'Movie')[number % 2]}_{mood} {number}"


FIRST = tuple(item(item_id(mood, n), mood) for mood in MOODS for n in range(N_OF_MOOD))


def _sessions(n: int, seed: int) -> SessionStore:
    """Stay in one mood, and go anywhere within it."""
    rng = np.random.default_rng(seed)
    return SessionStore.from_sequences(
        [
            (
                N_OF_MOOD * rng.integers(3) + rng.integers(N_OF_MOOD, size=rng.integers(3, 7))
            ).tolist()
            for _ in range(n)
        ]
    )


class LaterItemsWorld:
    """A data directory with sessions, a catalogue and its embeddings; models are trained in it.

    Parameters
    ----------
    folder
        Empty.
    """

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = load_settings(
            data_dir=folder,
            content={"encoder": "hashed"},
            serving={"poll_seconds": 0.05, "log_requests": False, "max_wait_ms": 1000},
            store=None,
        )
        self.warehouse = Warehouse(path=str(self.settings.warehouse_path))
        self.publish()
        self.embed()
        train, validation, test = (_sessions(n, seed) for seed, n in enumerate((500, 60, 20)))
        support = np.bincount(train.item_index, minlength=len(FIRST))
        vocabulary = Vocabulary.from_items(self.items().with_columns(support=support))
        self.dataset = SessionDataset(train, validation, test, vocabulary)
        self.dataset.save(self.settings.sessions_dir)

    def publish(self, *more: Mapping[str, Any]) -> None:
        """Replace the catalogue by the first items and some more."""
        frame = items_of(*map(dict, (*FIRST, *more)))
        no_links = pl.DataFrame(schema=ITEM_LINKS)
        self.warehouse.replace_tables({"catalogue.items": frame, "catalogue.item_links": no_links})

    def items(self) -> pl.DataFrame:
        """Read the catalogue."""
        return self.warehouse.read("catalogue.items")

    def embed(self) -> None:
        """Materialise the embeddings."""
        self._materialise(embeddings)

    def export(self) -> dict[str, Any]:
        """Materialise the serving export; return its metadata, and its data version as version."""
        return self._materialise(export)

    def train(self, parts: tuple[ContentPart, ...] = ALL_PARTS) -> GRU4Rec:
        """Fit a GRU4Rec on parts of the content."""
        items, vocabulary = self.items(), self.dataset.vocabulary
        text = ItemEmbeddings.open(self.settings.content_dir / "embeddings.parquet")
        known = ItemContent.of(vocabulary.frame.select("item_id", "item_type"), items, text)
        config = GRU4RecConfig(
            hidden_size=16, epochs=6, content=parts, id_dropout=0.3 if parts else 0, device="cpu"
        )
        model = GRU4Rec(config, progress_bar=False, content=known)
        model.fit(self.dataset.train, vocabulary, self.dataset.validation)
        return model

    def train_on_ids(self) -> GRU4Rec:
        """Fit a GRU4Rec without content."""
        return self.train(())

    def hybrid(self, network: GRU4Rec) -> Hybrid:
        """Fit a hybrid of a network and neighbours."""
        dataset = self.dataset
        neighbours = VSTAN()
        neighbours.fit(dataset.train, dataset.vocabulary)
        links = self.warehouse.read("catalogue.item_links")
        attributes = ItemAttributes.from_catalogue(self.items(), dataset.vocabulary, links)
        model = Hybrid({"gru4rec": network, "vstan": neighbours}, attributes)
        model.fit(dataset.train, dataset.vocabulary, dataset.validation)
        return model

    def promote(self, model: Recommender) -> Bundle:
        """Save a model and serve it."""
        models_dir = self.settings.models_dir
        bundle = save_bundle(model, self.dataset.vocabulary, models_dir, inputs={})
        promote(models_dir, bundle, reason="test")
        return bundle

    def _materialise(self, asset: dg.AssetsDefinition) -> dict[str, Any]:
        resources = {"settings": self.settings, "warehouse": self.warehouse}
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize([asset], instance=instance, resources=resources)
            (event,) = result.get_asset_materialization_events()
        made = event.step_materialization_data.materialization
        assert made.tags is not None
        metadata = {name: value.value for name, value in made.metadata.items()}
        return {**metadata, "version": made.tags["dagster/data_version"]}
