"""What must be built: from what an instance remembers, and what lies on the disk."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from crossrec_pipeline.catalogue.schema import ITEMS
from crossrec_pipeline.content.enrichment import results_are_whole
from crossrec_pipeline.defs.content import EMBEDDINGS_KEY, embeddings_are_whole
from crossrec_pipeline.defs.enrichments import ENRICHMENTS_KEY
from crossrec_pipeline.defs.models import CHAMPION_KEY, model_key, model_kinds
from crossrec_pipeline.defs.outdated_days import days_version, outdated_days
from crossrec_pipeline.defs.serving import EXPORT_KEY, export_is_whole
from crossrec_pipeline.defs.sessions import DAYS_TAG, SEQUENCES_KEY
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.errors import BundleError, SessionsError
from crossrec_pipeline.models.registry import champion_path, latest_bundle, verify_bundle
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings

_VERSION = "dagster/data_version"
_EXECUTED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


def output_paths(settings: Settings) -> dict[str, Path]:
    """Where each asset's output lies: a folder deleted by hand must be built again."""
    evaluation, models = settings.evaluation_dir, settings.models_dir
    return {
        "content/embeddings": settings.content_dir / "embeddings.parquet",
        "content/enrichments": settings.content_dir / "enrichments.parquet",
        "interactions/events": settings.events_dir,
        "interactions/deliveries": settings.deliveries_dir / "ledger.json",
        "sessions/by_day": settings.sessions_by_day_dir,
        "sessions/sequences": settings.sessions_dir,
        **{f"models/{kind}": models / kind for kind in model_kinds(settings)},
        "models/champion": models / "champion.json",
        "evaluation/ranks": evaluation / "ranks",
        "evaluation/report": evaluation / "report.html",
        "serving/export": settings.serving_dir / "catalogue.parquet",
        "exploration/charts": settings.data_dir / "exploration" / "charts.html",
    } | {
        f"catalogue/raw_{spec.name}": settings.raw_dir / f"{spec.name}.parquet"
        for spec in load_domains(settings.domains)
    }


_TABLES = {
    "catalogue/staged_items": "staging.items",
    "catalogue/items": "catalogue.items",
    "catalogue/rejected_items": "catalogue.rejected_items",
    "catalogue/item_links": "catalogue.item_links",
}


def _missing(settings: Settings) -> set[str]:
    """Name the assets whose output is not there."""
    tables = Warehouse(path=str(settings.warehouse_path)).tables()
    return {name for name, path in output_paths(settings).items() if not path.exists()} | {
        name for name, table in _TABLES.items() if table not in tables
    }


def _days_are_outdated(settings: Settings) -> bool:
    """Say whether a day of a log that grows must be made, as far as can be known by now."""
    items = Warehouse(path=str(settings.warehouse_path)).read_or_empty("catalogue.items", ITEMS)
    # Without a catalogue, that is what must be built first.
    return not items.is_empty() and bool(outdated_days(settings, items))


def _has_passed(
    check: dg.AssetCheckKey, instance: dg.DagsterInstance, built_at: float | None
) -> bool:
    """Say whether a blocking check has passed since its asset was built.

    A check that was planned in a run that failed before it says nothing: the one before counts.
    """
    records = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=1, status=_EXECUTED
    )
    if not records or records[0].event is None or built_at is None:
        return False
    evaluation = records[0].evaluation
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    held = evaluation.passed or evaluation.severity == dg.AssetCheckSeverity.WARN
    return held and records[0].event.timestamp >= built_at


def _is_whole(key: dg.AssetKey, settings: Settings, version: str | None) -> bool:
    """Say whether the files that other assets and the recommender open are what was written.

    A copy that went wrong or a disk that lost a block would otherwise be met by every later run.
    The champion may be another bundle than the newest: a person may have promoted it.
    """
    models = settings.models_dir
    try:
        if key == EMBEDDINGS_KEY:
            return embeddings_are_whole(settings)
        if key == SEQUENCES_KEY:
            SessionDataset.open(settings.sessions_dir)
        for kind in model_kinds(settings):
            if key == model_key(kind):
                bundle = latest_bundle(models, kind)
                return bundle is not None and verify_bundle(bundle.path).data_version == version
        if key == CHAMPION_KEY:
            served = champion_path(models)
            if served is None:
                return False
            verify_bundle(served)
        if key == ENRICHMENTS_KEY:
            return results_are_whole(settings.content_dir)
        if key == EXPORT_KEY:
            return export_is_whole(settings)
    except (BundleError, SessionsError):
        return False
    return True


def out_of_date(
    defs: dg.Definitions, instance: dg.DagsterInstance, settings: Settings
) -> list[dg.AssetKey]:
    """List the assets that were never built, were damaged, or have other inputs or code by now.

    What a check refused is out of date too: the data or the bounds may be others by now, and
    nothing downstream may be built of it.
    """
    graph = defs.resolve_asset_graph()
    # One query for all: Dagster opens its database anew for each.
    built = instance.get_latest_materialization_events(graph.get_all_asset_keys())

    def tags(key: dg.AssetKey) -> Mapping[str, str]:
        event = built.get(key)
        materialization = event.asset_materialization if event else None
        return (materialization.tags if materialization else None) or {}

    def refused(key: dg.AssetKey) -> bool:
        event = built.get(key)
        return not all(
            _has_passed(check, instance, event.timestamp if event else None)
            for check in graph.get_check_keys_for_assets({key})
            if graph.get(check).blocking
        )

    missing = _missing(settings)
    dirty = []
    for key in graph.executable_asset_keys:
        node = graph.get(key)
        if node.is_partitioned:
            if _days_are_outdated(settings):
                dirty.append(key)
            continue
        version = tags(key).get(_VERSION)
        of_days = any(graph.get(parent).is_partitioned for parent in node.parent_keys)
        moved = any(
            tags(key).get(f"dagster/input_data_version/{parent.to_user_string()}")
            != tags(parent).get(_VERSION)
            for parent in node.parent_keys
            if not graph.get(parent).is_partitioned
        )
        recoded = tags(key).get("dagster/code_version") != node.code_version
        if (
            moved
            or recoded
            or refused(key)
            or (of_days and tags(key).get(DAYS_TAG) != days_version(settings))
            or key.to_user_string() in missing
            or not _is_whole(key, settings, version)
        ):
            dirty.append(key)
    return dirty
