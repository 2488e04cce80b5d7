"""Descriptions of items that a language model writes: only where an endpoint is set; never needed.

That the endpoint cannot be used makes the step fail no more than a spent budget does: what is known
stays, a check warns, and whatever else is built goes on.
"""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.content.enrichment import (
    ENRICHMENT_DESCRIPTIONS,
    WORDS,
    EnrichmentRun,
    coverage,
    enrich,
    read_results,
    shown_endpoint,
)
from crossrec_pipeline.defs.automation import after_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import counts_table, lineage, markdown_table, table_metadata
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.digests import frame_digest
from crossrec_pipeline.errors import EnrichmentError
from crossrec_pipeline.outputs import ENRICHMENTS, WAREHOUSE
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.settings import Settings

ENRICHMENTS_KEY = dg.AssetKey(["content", "enrichments"])
COVERAGE_CHECK = "items_are_described"

_ENDED = "ended because"
_SAMPLE_ROWS = 8


def _items_path(settings: Settings) -> Path:
    """Where the items lie between the two steps."""
    return settings.content_dir / "enrichments.items.parquet"


@dg.op(pool=DUCKDB_POOL, ins={"published": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
@reports_errors
@stored(reads=[WAREHOUSE])
def copy_items(settings: dg.ResourceParam[Settings], warehouse: Warehouse) -> None:
    """Copy the published items: asking takes long, and the warehouse must be free meanwhile."""
    items = warehouse.read("catalogue.items")
    with atomic_file(_items_path(settings)) as partial:
        items.select("item_id", "popularity", *WORDS).write_parquet(partial)


@dg.op(pool="enrichment", ins={"copied": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
@reports_errors
@stored(writes=[ENRICHMENTS])
def describe_items(
    context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]
) -> dg.Output[None]:
    """Have those items described that have no description yet."""
    items = pl.read_parquet(_items_path(settings))
    run = enrich(items, settings.enrichment, settings.content_dir, context.log.info)
    _items_path(settings).unlink()
    if run.problem:
        context.log.warning(run.problem)
    return dg.Output(
        None,
        metadata=_metadata(run, items, settings),
        data_version=dg.DataVersion(frame_digest(run.results.enrichments)),
    )


@dg.graph_asset(
    key=ENRICHMENTS_KEY,
    ins={"published": dg.AssetIn(ITEMS_KEY, dagster_type=dg.Nothing)},
    group_name="content",
    kinds={"parquet", "http"},
    owners=["team:data"],
    code_version="1",
    # It costs money: asked for once items have changed, or by a person.
    automation_condition=after_upstream(),
    description=(
        "Mood and themes of each item in a few words, written by a language model within a budget. "
        "Optional. Only items are asked for whose words, or the model or prompt, are new."
    ),
)
def enrichments(published):
    """Read the items, then ask."""
    return describe_items(copy_items(published))


def _metadata(run: EnrichmentRun, items: pl.DataFrame, settings: Settings) -> dict[str, Any]:
    described = run.results.enrichments
    shown = (
        items.sort("popularity", descending=True, nulls_last=True)
        .select("item_id", "title")
        .join(described.select("item_id", "mood", "themes", "text"), "item_id")
        .head(_SAMPLE_ROWS)
    )
    metadata = table_metadata(described, ENRICHMENT_DESCRIPTIONS)
    del metadata["preview"]
    return {
        **metadata,
        "model": settings.enrichment.model,
        "endpoint": shown_endpoint(settings.enrichment),
        "asked": run.n_asked,
        "described": run.n_described,
        "cached": run.n_cached,
        "refused": counts_table(run.refused, "reason", "items"),
        "failed": counts_table(run.failed, "reason", "items"),
        "left": run.n_left,
        "requests": run.n_requests,
        "tokens": run.n_tokens,
        "estimated cost": round(run.cost, 6),
        _ENDED: _why_it_ended(run),
        "sample": dg.MetadataValue.md(markdown_table(shown)),
        "path": dg.MetadataValue.path(settings.content_dir / "enrichments.parquet"),
        "dagster/column_lineage": lineage(
            {
                "item_id": [(ITEMS_KEY, "item_id")],
                **{
                    column: [(ITEMS_KEY, word) for word in WORDS]
                    for column in ("mood", "themes", "text")
                },
            }
        ),
    }


def _why_it_ended(run: EnrichmentRun) -> str:
    if run.problem or run.budget_spent:
        return str(run.problem or run.budget_spent)
    if run.failed:
        return f"everything was asked; some got no answer ({next(iter(run.failed))})"
    return "nothing was left to ask"


@dg.asset_check(
    asset=ENRICHMENTS_KEY,
    name=COVERAGE_CHECK,
    description="Enough items have a description, and none is of other words than the item's.",
    pool=DUCKDB_POOL,
)
@reports_errors
@stored(reads=[WAREHOUSE, ENRICHMENTS])
def coverage_check(
    context: dg.AssetCheckExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: Warehouse,
) -> dg.AssetCheckResult:
    """Compare the descriptions with the catalogue; it warns, and nothing waits for it."""
    wanted = settings.enrichment.min_share
    found = coverage(
        warehouse.read("catalogue.items"),
        read_results(settings.content_dir),
        settings.enrichment.model or "",
    )
    ended = _how_it_ended(context.instance)
    return dg.AssetCheckResult(
        passed=found.share >= wanted and not found.n_stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{found.n_described:,} of {found.n_items:,} items are described ({wanted:g} of them "
            f"wanted), {found.n_stale:,} descriptions are outdated, {found.n_refused:,} refused, "
            f"{found.to_ask.height:,} still to be asked for. The last run ended because: {ended}"
        ),
        metadata={
            "share": found.share,
            "described": found.n_described,
            "outdated": found.n_stale,
            "refused": found.n_refused,
            "left": found.to_ask.height,
        },
    )


def _how_it_ended(instance: dg.DagsterInstance) -> str:
    event = instance.get_latest_materialization_event(ENRICHMENTS_KEY)
    report = event.asset_materialization if event else None
    ended = report.metadata.get(_ENDED) if report else None
    return str(ended.value) if ended is not None else "there was none yet"


def items_are_left(settings: Settings) -> bool:
    """Say whether items are still to be asked for, as after a run whose budget was spent."""
    if not settings.enrichment.is_on:
        return False
    warehouse = Warehouse(path=str(settings.warehouse_path))
    if not warehouse.exists("catalogue.items"):
        return False
    try:
        results = read_results(settings.content_dir)
    except EnrichmentError:
        return False  # the step says so
    items = warehouse.read("catalogue.items")
    return not coverage(items, results, settings.enrichment.model or "").to_ask.is_empty()


ENRICH_ITEMS = "enrich_items"


def enrich_job() -> UnresolvedAssetJobDefinition:
    """Make the job that goes on describing items, one budget at a time."""
    return dg.define_asset_job(
        ENRICH_ITEMS,
        selection=dg.AssetSelection.assets(ENRICHMENTS_KEY),
        description="Asks for items that have no description yet, as many as the budget allows.",
    )


NIGHTLY_ENRICHMENT = dg.ScheduleDefinition(
    name="nightly_enrichment",
    job_name=ENRICH_ITEMS,
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every night, one more budget of descriptions. Off, since it may cost money.",
)
