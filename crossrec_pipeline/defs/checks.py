"""Checks: the staged catalogue before it is published, the events before they are used, and age.

The first two block; that a delivery is late is said and stops nothing. Those of the sessions are
in `leaks.py`.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from crossrec_pipeline.defs.catalogue import STAGED_ITEMS, raw_path
from crossrec_pipeline.defs.check_results import check_result
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.defs.leaks import audit_sequences
from crossrec_pipeline.defs.sources import delivered_sources
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.interactions.deliveries import is_growing
from crossrec_pipeline.interactions.schema import REJECTED_EVENTS
from crossrec_pipeline.interactions.verdict import LogVerdict
from crossrec_pipeline.outputs import EVENTS, LOG_VERDICT, WAREHOUSE, raw_catalogues
from crossrec_pipeline.quality.events import (
    EVENTS_DESCRIPTION,
    EVENTS_SUITE,
    events_suite,
    summarise_events,
)
from crossrec_pipeline.quality.history import BUILD_HISTORY
from crossrec_pipeline.quality.suites import STAGED_SUITES, staged_suites
from crossrec_pipeline.quality.validate import validate, validate_suites
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.settings import Settings


@dg.multi_asset_check(
    name="audit_staged_items",
    specs=[
        dg.AssetCheckSpec(name, asset=STAGED_ITEMS, description=description, blocking=True)
        for name, description in STAGED_SUITES.items()
    ],
    pool=DUCKDB_POOL,
)
@reports_errors
@stored(reads=[raw_catalogues], writes=[WAREHOUSE])
def audit_staged_items(
    settings: dg.ResourceParam[Settings], warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    """Validate the staged table and write the verdict down for the publication."""
    domains = load_domains(settings.domains)
    version = warehouse.read("staging.build")["version"].item()
    results = validate_suites(
        staged_suites(
            domains,
            warehouse.read("staging.items"),
            warehouse.read("staging.rejected_items"),
            {spec.name: pl.read_parquet(raw_path(settings, spec.name)) for spec in domains},
            warehouse.read_or_empty("quality.build_history", BUILD_HISTORY),
            settings.quality,
        )
    )
    passed = all(result.success for result in results)
    warehouse.replace_tables(
        {"quality.audit": pl.DataFrame({"version": [version], "passed": [passed]})}
    )
    for result in results:
        yield check_result(result, STAGED_ITEMS)


@dg.asset_check(
    asset=EVENTS_KEY,
    name=EVENTS_SUITE,
    description=EVENTS_DESCRIPTION,
    blocking=True,
    pool=DUCKDB_POOL,
)
@reports_errors
@stored(reads=[WAREHOUSE, EVENTS], writes=[LOG_VERDICT])
def audit_events(settings: dg.ResourceParam[Settings], warehouse: Warehouse) -> dg.AssetCheckResult:
    """Validate a one-row summary of the log and write the verdict down for the sessions."""
    rejected = settings.rejected_events_path
    summary = summarise_events(
        pl.scan_parquet(settings.events_dir / "**/*.parquet"),
        pl.scan_parquet(rejected) if rejected.exists() else pl.LazyFrame(schema=REJECTED_EVENTS),
        warehouse.read("catalogue.items")["item_id"],
    )
    result = validate(summary, events_suite(settings.quality))
    LogVerdict(settings.log_verdict_path).record(passed=result.success)
    return check_result(result, EVENTS_KEY)


def freshness_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Make one check for each delivered source: that its last change is recent enough."""
    return [_freshness_check(key) for key in delivered_sources(settings)]


def _freshness_check(source: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=source,
        name="freshness",
        description="The content of the source changed within the days that the settings allow.",
    )
    def freshness(
        context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.AssetCheckResult:
        bound = settings.quality.fresh_within_days
        report = context.instance.get_latest_materialization_event(source)
        if report is None:
            return dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description="The source has not been looked at yet: is the daemon running?",
            )
        age_days = (time.time() - report.timestamp) / 86_400
        changed = datetime.fromtimestamp(report.timestamp, UTC)
        return dg.AssetCheckResult(
            passed=age_days <= bound,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Last changed {age_days:.1f} days ago; {bound:g} are allowed.",
            metadata={"last change": changed.isoformat(), "age in days": age_days},
        )

    return freshness


def all_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """List the checks for one set of settings.

    The days of a log that grows are checked in the step that makes them.
    """
    of_events = [] if is_growing(settings.events) else [audit_events]
    return [audit_staged_items, *of_events, audit_sequences, *freshness_checks(settings)]
