"""The hybrid of small members, made again when a link that it reads is another."""

import dagster as dg
import polars as pl
import pytest

from crossrec_pipeline.catalogue.schema import ITEM_LINKS
from crossrec_pipeline.defs.models import hybrid
from crossrec_pipeline.models.hybrid.model import Hybrid
from crossrec_pipeline.models.registry import latest_bundle, load_bundle, save_bundle
from crossrec_pipeline.models.rules.sequential import SequentialRules
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.models.hybrid.small_world import (
    fitted_members,
    sessions,
    vocabulary,
)

VOCABULARY = vocabulary()
TRAIN, VALIDATION, TEST = sessions(300, 0), sessions(300, 1), sessions(20, 2)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Sessions, a catalogue, and a bundle of each member."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("hybrid"), store=None)
    SessionDataset(TRAIN, VALIDATION, TEST, VOCABULARY).save(settings.sessions_dir)
    n_items = VOCABULARY.n_items
    items = pl.DataFrame(
        {
            "item_id": VOCABULARY.item_ids,
            "creators": [[]] * n_items,
            "genres": [[]] * n_items,
            "imputed": [[]] * n_items,
        },
        schema_overrides=dict.fromkeys(("creators", "genres", "imputed"), pl.List(pl.String)),
    )
    Warehouse(path=str(settings.warehouse_path)).replace_tables({"catalogue.items": items})
    rules = SequentialRules()
    rules.fit(TRAIN, VOCABULARY)
    members = fitted_members(TRAIN)
    for member in (members["gru4rec"], members["vstan"], rules):
        save_bundle(member, VOCABULARY, settings.models_dir, inputs={})
    return settings


def _version(settings: Settings, *links: tuple[str, str, float]) -> str | None:
    """Materialise the hybrid with these links; return its data version."""
    warehouse = Warehouse(path=str(settings.warehouse_path))
    rows = [(one, other, "story", score, "same title") for one, other, score in links]
    table = pl.DataFrame(rows, schema=ITEM_LINKS, orient="row")
    warehouse.replace_tables({"catalogue.item_links": table})
    made = dg.materialize([hybrid], resources={"settings": settings, "warehouse": warehouse})
    (event,) = made.get_asset_materialization_events()
    tags = event.step_materialization_data.materialization.tags
    return (tags or {})["dagster/data_version"]


def test_a_link_of_known_items_makes_another_hybrid_and_nothing_else_of_links_does(
    settings: Settings,
):
    without = _version(settings)
    linked = _version(settings, ("Movie_2", "Book_1", 0.9))

    bundle = latest_bundle(settings.models_dir, "hybrid")
    assert bundle is not None
    model = load_bundle(bundle.path).model
    assert isinstance(model, Hybrid)
    assert model._known_items.attributes.links.rows_from(0).to_list()[:4] == [[], [2], [1], []]
    assert linked != without
    assert _version(settings, ("Movie_2", "Book_1", 0.7)) == linked
    assert _version(settings, ("Book_1", "Movie_2", 0.9), ("Movie_2", "Book_New", 0.9)) == linked
    assert _version(settings, ("Movie_New", "Book_New", 0.9)) == without
