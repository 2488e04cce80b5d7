"""The interaction log: loaded from the user's files, or simulated."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl

from crossrec_pipeline.defs.automation import with_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import column_schema, counts_table, lineage, markdown_table
from crossrec_pipeline.defs.sources import EVENTS_SOURCE, SIMULATED
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.interactions.load import load_log
from crossrec_pipeline.interactions.log import LogSummary
from crossrec_pipeline.interactions.schema import EVENT_DESCRIPTIONS, EVENTS
from crossrec_pipeline.interactions.simulate import simulate_log, simulate_uniform_log
from crossrec_pipeline.interactions.verdict import LogVerdict
from crossrec_pipeline.interactions.world import build_world
from crossrec_pipeline.outputs import EVENTS as EVENTS_OUTPUT
from crossrec_pipeline.outputs import LOG_VERDICT, WAREHOUSE
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.settings import Settings
from crossrec_pipeline.storage.local_copy import bring_here, urls_named
from crossrec_pipeline.storage.location import is_url

EVENTS_KEY = dg.AssetKey(["interactions", "events"])
_PREVIEW_ROWS = 8


@dg.asset(
    key=EVENTS_KEY,
    deps=[ITEMS_KEY, EVENTS_SOURCE],
    group_name="interactions",
    kinds={"parquet", "duckdb"},
    owners=["team:data"],
    code_version="1",
    pool=DUCKDB_POOL,
    automation_condition=with_upstream(),
    description=(
        "Accepted events of known items, Parquet by day. Refused events, with reasons, lie beside "
        "them in rejected_events.parquet."
    ),
)
@reports_errors
@stored(reads=[WAREHOUSE], writes=[EVENTS_OUTPUT, LOG_VERDICT])
def events(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: Warehouse
) -> dg.MaterializeResult:
    """Write the log that the settings name."""
    items = warehouse.read("catalogue.items")
    verdict = LogVerdict(settings.log_verdict_path)
    verdict.withdraw()
    summary = _write_log(settings, items, context)
    verdict.expect(summary.data_digest)
    first_day = min(settings.events_dir.glob("date=*/*.parquet"))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": summary.n_accepted,
            "dagster/column_schema": column_schema(EVENTS, EVENT_DESCRIPTIONS),
            "dagster/column_lineage": lineage({"item_id": [(ITEMS_KEY, "item_id")]}),
            "preview": dg.MetadataValue.md(
                markdown_table(pl.read_parquet(first_day, n_rows=_PREVIEW_ROWS))
            ),
            "log": settings.events,
            "first event": summary.first.isoformat(),
            "last event": summary.last.isoformat(),
            "events delivered": summary.n_in,
            "rejected by reason": counts_table(summary.n_rejected, "reason", "events"),
            "path": dg.MetadataValue.path(settings.events_dir),
        },
        data_version=dg.DataVersion(summary.data_digest),
    )


def _write_log(
    settings: Settings, items: pl.DataFrame, context: dg.AssetExecutionContext
) -> LogSummary:
    if settings.events not in SIMULATED:
        location = settings.events
        if is_url(location):
            location = bring_here(location, settings.copies_dir, context.log.info)
        with urls_named(settings.copies_dir):
            return load_log(
                location,
                items,
                settings.event_columns,
                {spec.item_type: spec.prefix for spec in load_domains(settings.domains)},
                settings.events_dir,
                settings.rejected_events_path,
                datetime.now(UTC),
            )
    if settings.events == "uniform":
        summary = simulate_uniform_log(
            items, settings.simulation, settings.events_dir, context.log.info
        )
    else:
        world = build_world(items, settings.simulation.seed)
        summary = simulate_log(world, settings.simulation, settings.events_dir, context.log.info)
    # What an earlier log of the user's refused is not about this one.
    Path(settings.rejected_events_path).unlink(missing_ok=True)
    return summary
