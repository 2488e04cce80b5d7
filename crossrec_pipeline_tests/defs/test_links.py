"""The links of two small catalogues, and their review, in Dagster."""

import math
from dataclasses import replace

import dagster as dg
import polars as pl
import pytest

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.catalogue.schema import ITEM_LINKS
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.links import ITEM_LINKS_KEY, LINKS_CHECK
from crossrec_pipeline.domains import BOOKS, BUILT_IN, MOVIES
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import Settings, load_settings

DUNE = ("Book_Dune (Dune, #1)", "Movie_Dune")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The sample's films and books, as published."""
    folder = tmp_path_factory.mktemp("links")
    settings = load_settings(data_dir=folder / "data", domains=("movies", "books"), sources={})
    reader = SourceReader.from_settings(settings)
    cleaned = [clean(reader.load(spec, "sample").frame, spec) for spec in (MOVIES, BOOKS)]
    items = unify(cleaned, empty_ledger()).items
    warehouse_of(settings).replace_tables({"catalogue.items": items})
    return settings


def warehouse_of(settings: Settings) -> Warehouse:
    return Warehouse(path=str(settings.warehouse_path))


def run(settings: Settings, selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
    job = dg.Definitions.merge(
        build_definitions(settings),
        dg.Definitions(jobs=[dg.define_asset_job("chosen", selection)]),
    ).resolve_job_def("chosen")
    return job.execute_in_process(instance=dg.DagsterInstance.ephemeral())


@pytest.fixture(scope="module")
def built(settings: Settings) -> dg.ExecuteInProcessResult:
    return run(settings, dg.AssetSelection.assets(ITEM_LINKS_KEY))


def review(settings: Settings) -> dg.AssetCheckEvaluation:
    check = dg.AssetCheckKey(ITEM_LINKS_KEY, LINKS_CHECK)
    (evaluation,) = run(settings, dg.AssetSelection.checks(check)).get_asset_check_evaluations()
    return evaluation


def materialised(result: dg.ExecuteInProcessResult) -> dg.AssetMaterialization:
    (made,) = result.asset_materializations_for_node("catalogue__item_links")
    assert isinstance(made, dg.AssetMaterialization)
    return made


def test_the_table_is_made_and_described(settings: Settings, built: dg.ExecuteInProcessResult):
    links = warehouse_of(settings).read("catalogue.item_links")
    assert links.schema == ITEM_LINKS
    assert DUNE in links.select("item_id", "other_id").rows()
    made = materialised(built)
    assert made.metadata["dagster/row_count"].value == links.height
    assert "story: Book and Movie" in str(made.metadata["links by kind and types"].value)
    sample = str(made.metadata["sample"].value).splitlines()
    assert len(sample) == 2 + 20
    assert "same title" in sample[2]


def test_the_review_passes_and_shows_links_to_read(
    settings: Settings, built: dg.ExecuteInProcessResult
):
    evaluation = review(settings)
    assert evaluation.passed
    assert len(str(evaluation.metadata["links to read"].value).splitlines()) == 2 + 20


def test_equal_items_give_an_equal_version(settings: Settings, built: dg.ExecuteInProcessResult):
    again = run(settings, dg.AssetSelection.assets(ITEM_LINKS_KEY))
    tags = [materialised(result).tags or {} for result in (built, again)]
    assert tags[0]["dagster/data_version"] == tags[1]["dagster/data_version"]


def test_bad_links_are_warned_of(settings: Settings, built: dg.ExecuteInProcessResult):
    warehouse = warehouse_of(settings)
    good = warehouse.read("catalogue.item_links")
    books = warehouse.read("catalogue.items").filter(item_type="Book")["item_id"].head(30)
    bad = [
        ("Movie_Dune", "Movie_Dune", "edition", 1.0, "same title"),
        ("Book_Nowhere", "Movie_Dune", "story", math.nan, "same title"),
        *((book, "Movie_Casablanca", "story", 0.7, "a bad block") for book in books),
    ]
    bad = pl.DataFrame(bad, schema=ITEM_LINKS, orient="row")
    try:
        warehouse.replace_tables({"catalogue.item_links": pl.concat([good, bad])})
        evaluation = review(settings)
    finally:
        warehouse.replace_tables({"catalogue.item_links": good})
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    said = str(evaluation.description)
    assert "links of an item with itself: 1, such as Movie_Dune" in said
    assert "links of an item that does not exist: " in said
    assert "scores that are not from 0 to 1: 1" in said
    assert "items with more than 25 links: " in said
    assert "Movie_Casablanca (30)" in said


def test_which_domains_tell_stories_marks_the_links_as_changed(monkeypatch: pytest.MonkeyPatch):
    def code_versions() -> dict[str, str | None]:
        defs = build_definitions(load_settings(domains=("movies", "books")))
        return {s.key.to_user_string(): s.code_version for s in defs.resolve_all_asset_specs()}

    before = code_versions()
    monkeypatch.setitem(BUILT_IN, "books", replace(BOOKS, story_order=None))
    after = code_versions()
    assert {name for name in before if before[name] != after[name]} == {"catalogue/item_links"}
