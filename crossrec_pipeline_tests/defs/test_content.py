"""The embeddings of a built pipeline: what builds them again, and what that costs."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.content.embeddings import ItemEmbeddings
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.content import EMBEDDINGS_KEY
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.content.item_rows import items_of

ITEMS = [
    {"item_id": "Movie_A", "title": "Moby Dick", "description": "A whale is hunted"},
    {"item_id": "Movie_B", "title": "The Rocket", "description": "A rocket flies"},
    {"item_id": "Book_A", "item_type": "Book", "title": "The Whale", "description": "It is hunted"},
    {"item_id": "Book_B", "item_type": "Book", "title": "Rockets", "description": "They fly"},
]
PLAIN = {"genres": [], "creators": []}


class Content:
    """A warehouse with a few items, and the asset."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = load_settings(
            data_dir=folder, content={"encoder": "hashed"}, store=None
        )
        self.path = self.settings.content_dir / "embeddings.parquet"
        self.publish(*ITEMS)

    def publish(self, *items: dict) -> None:
        frame = items_of(*({**PLAIN, **item} for item in items))
        Warehouse(path=str(self.settings.warehouse_path)).replace_tables({"catalogue.items": frame})

    def embed(self) -> tuple[str, Mapping[str, object]]:
        """Materialise it; return its data version and its metadata."""
        job = build_definitions(self.settings).resolve_implicit_global_asset_job_def()
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(asset_selection=[EMBEDDINGS_KEY], instance=instance)
            (event,) = result.get_asset_materialization_events()
        made = event.step_materialization_data.materialization
        assert made.tags is not None
        metadata = {name: value.value for name, value in made.metadata.items()}
        return made.tags["dagster/data_version"], metadata


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return Content(tmp_path)


def test_items_are_embedded_and_what_was_done_is_shown(content: Content):
    version, shown = content.embed()
    found = ItemEmbeddings.open(content.path)
    assert found.version == version
    assert found.item_ids == [item["item_id"] for item in ITEMS]
    assert shown["dagster/row_count"] == shown["embedded now"] == 4
    assert shown["encoder"] == found.encoder
    assert shown["why this encoder"] == "CROSSREC_CONTENT__ENCODER=hashed"
    lines = str(shown["nearest in other domains"]).splitlines()
    assert lines[0] == "| item | type | nearest Book | nearest Movie |"
    assert any(line.startswith("| Moby Dick | Movie | The Whale (") for line in lines)
    assert any(line.startswith("| Rockets | Book |  | The Rocket (") for line in lines)


def test_equal_words_keep_the_version_and_embed_nothing(content: Content):
    version, _ = content.embed()
    content.publish(*({**item, "popularity": 0.9} for item in ITEMS))
    again, shown = content.embed()
    assert again == version
    assert shown["embedded now"] == 0


def test_a_new_item_alone_is_embedded_by_the_same_map(content: Content):
    version, _ = content.embed()
    before = ItemEmbeddings.open(content.path)
    content.publish(*ITEMS, {"item_id": "Movie_C", "title": "Whales and rockets"})
    after_version, shown = content.embed()
    after = ItemEmbeddings.open(content.path)
    assert (shown["embedded now"], shown["items that are gone"]) == (1, 0)
    assert after_version != version
    np.testing.assert_array_equal(after.vectors[:4], before.vectors)


def test_further_texts_count(content: Content):
    version, _ = content.embed()
    rows = {"item_id": ["Book_B", "Book_Z"], "text": ["About a whale", "About nothing"]}
    pl.DataFrame(rows).write_parquet(content.settings.content_dir / "enrichments.parquet")
    again, shown = content.embed()
    assert again != version
    assert (shown["embedded now"], shown["items with further texts"]) == (1, 1)


def test_damaged_further_texts_stop_it_with_the_remedy(content: Content):
    content.settings.content_dir.mkdir()
    (content.settings.content_dir / "enrichments.parquet").write_bytes(b"PAR1")
    with pytest.raises(dg.Failure, match=r"enrichments\.parquet cannot be read"):
        content.embed()
    assert not content.path.exists()


@pytest.mark.parametrize(
    ("enrichment", "expected"),
    [
        ({}, {"catalogue/items"}),
        (
            {"base_url": "http://localhost:1/v1", "model": "m"},
            {"catalogue/items", "content/enrichments"},
        ),
    ],
)
def test_what_is_written_of_items_comes_before_their_embeddings(
    enrichment: dict[str, str], expected: set[str]
) -> None:
    graph = build_definitions(load_settings(enrichment=enrichment)).resolve_asset_graph()
    parents = graph.get(dg.AssetKey(["content", "embeddings"])).parent_keys
    assert {key.to_user_string() for key in parents} == expected
