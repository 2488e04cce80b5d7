"""What a growing log was delivered: each delivery read once, its rows staged by day."""

from collections import Counter
from datetime import UTC, datetime

import dagster as dg

from crossrec_pipeline.defs.automation import with_upstream
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import counts_table
from crossrec_pipeline.defs.sources import EVENTS_SOURCE
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.interactions.deliveries import read_deliveries, shown_location
from crossrec_pipeline.outputs import DELIVERIES
from crossrec_pipeline.settings import Settings
from crossrec_pipeline.storage.local_copy import urls_named

DELIVERIES_KEY = dg.AssetKey(["interactions", "deliveries"])


@dg.asset(
    key=DELIVERIES_KEY,
    deps=[EVENTS_SOURCE],
    group_name="interactions",
    kinds={"parquet", "duckdb"},
    owners=["team:data"],
    code_version="1",
    automation_condition=with_upstream(),
    description=(
        "Rows of the log as delivered, staged by the day of the event, and the ledger that knows "
        "each delivery: none is read twice, and one that changed takes the place of what it was."
    ),
)
@reports_errors
@stored(writes=[DELIVERIES])
def deliveries(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Read what is new or changed at the location that the settings name."""
    with urls_named(settings.copies_dir):
        reading = read_deliveries(
            settings.events,
            settings.event_columns,
            {spec.item_type: spec.prefix for spec in load_domains(settings.domains)},
            settings.log,
            settings.deliveries_dir,
            settings.rejected_dir,
            settings.copies_dir,
            datetime.now(UTC),
            context.log.info,
        )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": reading.n_rows,
            "log": shown_location(settings.events),
            "deliveries": reading.n_deliveries,
            "deliveries read": reading.n_read,
            "rows read": reading.n_rows_read,
            "days touched": ", ".join(map(str, reading.days)) or "none",
            "left for later": counts_table(Counter(reading.left.values()), "why", "deliveries"),
            "without a usable time": counts_table(reading.undated, "reason", "rows"),
            "path": dg.MetadataValue.path(settings.deliveries_dir),
        },
        data_version=dg.DataVersion(reading.version),
    )
