"""The serving export of the champion, and the check that a service answers as its model does."""

import time
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np

from crossrec_pipeline.defs.automation import with_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.content import EMBEDDINGS_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.links import ITEM_LINKS_KEY, ITEM_LINKS_TABLE
from crossrec_pipeline.defs.metadata import counts_table
from crossrec_pipeline.defs.models import CHAMPION_KEY, REPORT_KEY
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.errors import BundleError, EvaluationError
from crossrec_pipeline.models.promotions import read_champion
from crossrec_pipeline.models.registry import Bundle, LoadedBundle, find_bundle, load_bundle
from crossrec_pipeline.outputs import (
    ALL_BUNDLES,
    CHAMPION,
    EMBEDDINGS,
    EXPORTS,
    REPORT,
    SESSIONS,
    WAREHOUSE,
)
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from crossrec_pipeline.content.embeddings import ItemEmbeddings
    from crossrec_pipeline.models.growth import NewItems
    from crossrec_pipeline.serving.export import Export
    from crossrec_pipeline.serving.replay import Replay

EXPORT_KEY = dg.AssetKey(["serving", "export"])
REPLAY_CHECK = "replay_matches_offline"

_REPLAYED_SESSIONS = 150
_WARM_SESSIONS = 8


@dg.asset(
    key=EXPORT_KEY,
    deps=[CHAMPION_KEY, ITEMS_KEY, ITEM_LINKS_KEY, EMBEDDINGS_KEY, REPORT_KEY],
    group_name="serving",
    kinds={"parquet", "http"},
    owners=["team:ml"],
    code_version="4",
    pool=DUCKDB_POOL,
    automation_condition=with_upstream(),
    description=(
        "What the service reads of the champion: the bundle, details of all items with what is "
        "near them and a search index, the figures of the last evaluation, and what its engine "
        "maps into memory. A champion that was trained with content takes up the items that came "
        "since."
    ),
)
@reports_errors
@stored(reads=[WAREHOUSE, EMBEDDINGS, SESSIONS, CHAMPION, REPORT, *ALL_BUNDLES], writes=[EXPORTS])
def export(settings: dg.ResourceParam[Settings], warehouse: Warehouse) -> dg.MaterializeResult:
    """Export the champion, and see that it ranks."""
    # They import what searches and serves, which loading the definitions must not.
    from crossrec_pipeline.content.embeddings import EMBEDDINGS_FILE, ItemEmbeddings
    from crossrec_pipeline.serving.export import (
        export_bundle,
        open_export,
        prune_exports,
        write_catalogue,
    )
    from crossrec_pipeline.serving.figures import read_figures
    from crossrec_pipeline.serving.similar import write_similar

    champion = find_bundle(settings.models_dir, "champion")
    began = time.perf_counter()
    items, links = warehouse.read("catalogue.items"), warehouse.read(ITEM_LINKS_TABLE)
    # Before anything is written: should it fail, the export that is there goes on.
    embeddings = ItemEmbeddings.open(settings.content_dir / EMBEDDINGS_FILE)
    new = _new_items(champion, items, links, embeddings, settings)
    write_catalogue(items, settings.serving_dir, links)
    write_similar(embeddings, settings.serving_dir)
    figures = read_figures(champion, settings)
    exported = open_export(
        export_bundle(champion, settings.serving_dir, figures=figures, additions=new.additions)
    )
    seconds = time.perf_counter() - began
    prune_exports(settings.serving_dir, settings.models_dir)
    kernel = _warm(exported, settings)
    return dg.MaterializeResult(
        metadata={
            "champion": champion.name,
            "export": dg.MetadataValue.path(exported.path),
            "kernel": str(kernel["kernel"]),
            "recall of the kernel": float(kernel["recall"]),
            "MB": exported.size_bytes / 1e6,
            "MB of the search index": exported.search_bytes / 1e6,
            "seconds": round(seconds, 3),
            "items added": new.additions.n_items,
            "items added, by type": counts_table(exported.added, "type", "items"),
            "items left out": counts_table(new.left_out, "reason", "items"),
            "figures": "of the last evaluation" if figures else "none of this model",
        },
        data_version=dg.DataVersion(exported.content),
    )


def export_is_whole(settings: Settings) -> bool:
    """Say whether the champion has an export, and its files are all there."""
    from crossrec_pipeline.serving.export import open_export
    from crossrec_pipeline.serving.similar import SIMILAR_FILE

    if not (settings.serving_dir / SIMILAR_FILE).exists():
        return False
    try:
        champion = read_champion(settings.models_dir)
        if champion is None:
            return False
        found = open_export(settings.serving_dir / champion.kind / champion.version)
    except BundleError:
        return False
    return found.data_version == champion.data_version


def _new_items(
    champion: Bundle,
    items: "pl.DataFrame",
    links: "pl.DataFrame",
    embeddings: "ItemEmbeddings",
    settings: Settings,
) -> "NewItems":
    """Find what the champion can take up of the items that it was not trained on.

    Raises
    ------
    TrainingError
        If it has learnt from texts of another encoder.
    """
    from crossrec_pipeline.models.growth import find_new_items

    loaded = load_bundle(champion.path)
    boost = settings.serving.new_item_boost
    return find_new_items(loaded.model, loaded.vocabulary, items, embeddings, boost, links)


def _warm(exported: "Export", settings: Settings) -> dict[str, Any]:
    """Load the engine and rank some test sessions; say what ranks.

    Raises
    ------
    BundleError
        If it cannot be loaded, or ranks nothing.
    """
    from crossrec_pipeline.serving.engine.base import Query
    from crossrec_pipeline.serving.engine.load import load_engine

    engine, vocabulary, _ = load_engine(
        exported.bundle_dir, exported.engine_dir, exported.additions
    )
    sessions = [
        vocabulary.encode(item_id for item_id in session if item_id in vocabulary)
        for session in _test_sessions(settings, _WARM_SESSIONS)
    ]
    rankings = engine.rank([Query(session, 10) for session in sessions if len(session)])
    if not all(len(ranking.items) for ranking in rankings):
        raise BundleError(f"The export {exported.path} recommends nothing. Train the model again.")
    return engine.description()


@dg.asset_check(
    asset=EXPORT_KEY,
    name=REPLAY_CHECK,
    description=(
        "After every beginning of some test sessions a running service recommends, over HTTP, what "
        "the champion ranks first offline, with the items that came after its training."
    ),
)
@reports_errors
@stored(reads=[SESSIONS, CHAMPION, EXPORTS, *ALL_BUNDLES])
def replay_check(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Replay test sessions; nothing waits for the result, but it is an error."""
    from crossrec_pipeline.serving.local_service import local_service
    from crossrec_pipeline.serving.replay import Service, replay

    champion = _as_exported(settings)
    sessions = _test_sessions(settings, _REPLAYED_SESSIONS)
    url, keys = settings.serving.check_url, settings.serving.api_keys
    try:
        if url is None:
            with local_service(settings) as local:
                found = replay(Service(local), champion, sessions)
        else:
            key = keys[0].get_secret_value() if keys else None
            found = replay(Service(url, key), champion, sessions)
    except EvaluationError as error:
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.ERROR, description=str(error)
        )
    return _verdict(found)


def _as_exported(settings: Settings) -> LoadedBundle:
    """Load the champion from its bundle, with the items that its export adds."""
    from crossrec_pipeline.serving.engine.load import grown_bundle
    from crossrec_pipeline.serving.export import export_path, open_export

    champion = load_bundle(find_bundle(settings.models_dir, "champion").path)
    # One that is not whole is made again by the service, which knows of no further items.
    if not export_is_whole(settings):
        return champion
    additions = open_export(export_path(settings.serving_dir, champion.bundle)).additions
    return champion if additions is None else grown_bundle(champion, additions)


def _verdict(found: "Replay") -> dg.AssetCheckResult:
    wanted = "all of them" if found.is_exact else "nearly: the kernel is approximate"
    return dg.AssetCheckResult(
        passed=found.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=(
            f"{found.n_equal:,} of {found.n_predictions:,} lists of {found.model} are the offline "
            f"ones ({wanted})"
        ),
        metadata={
            "served": found.model,
            "kernel": str(found.kernel.get("kernel")),
            "predictions": found.n_predictions,
            "equal lists": found.n_equal,
            "share of the offline top 20": found.recall,
            "first difference": found.first_difference or "none",
        },
    )


def _test_sessions(settings: Settings, most: int) -> list[list[str]]:
    """Draw test sessions by a fixed seed, as item ids: the champion may know other items."""
    dataset = SessionDataset.open(settings.sessions_dir)
    item_ids, test = dataset.vocabulary.item_ids, dataset.test
    n = min(most, test.n_sessions)
    drawn = np.random.default_rng(0).choice(test.n_sessions, n, replace=False)
    return [[item_ids[item] for item in test[int(session)]] for session in drawn]
