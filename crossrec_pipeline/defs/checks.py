"""Blocking checks: the staged catalogue before it is published, the events before they are used."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from crossrec_pipeline.defs.catalogue import STAGED_ITEMS, raw_path
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.interactions.schema import REJECTED_EVENTS
from crossrec_pipeline.quality.events import (
    EVENTS_DESCRIPTION,
    EVENTS_SUITE,
    events_suite,
    summarise_events,
)
from crossrec_pipeline.quality.history import BUILD_HISTORY
from crossrec_pipeline.quality.suites import STAGED_SUITES, staged_suites
from crossrec_pipeline.quality.validate import SuiteResult, validate, validate_suites
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.settings import Settings


def _result(result: SuiteResult, asset: dg.AssetKey) -> dg.AssetCheckResult:
    broken = [row.type for row in result.failures]
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=result.name,
        passed=result.success and not broken,
        # Expectations of severity "warning" are shown, and block nothing.
        severity=dg.AssetCheckSeverity.WARN if result.success else dg.AssetCheckSeverity.ERROR,
        description=f"{len(broken)} of {len(result.rows)} expectations failed" if broken else None,
        metadata={
            "expectations": len(result.rows),
            "failed": len(broken),
            "results": dg.MetadataValue.md(result.markdown()),
        },
    )


@dg.multi_asset_check(
    name="audit_staged_items",
    specs=[
        dg.AssetCheckSpec(name, asset=STAGED_ITEMS, description=description, blocking=True)
        for name, description in STAGED_SUITES.items()
    ],
    pool=DUCKDB_POOL,
)
@reports_errors
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
        yield _result(result, STAGED_ITEMS)


@dg.asset_check(
    asset=EVENTS_KEY,
    name=EVENTS_SUITE,
    description=EVENTS_DESCRIPTION,
    blocking=True,
    pool=DUCKDB_POOL,
)
@reports_errors
def audit_events(settings: dg.ResourceParam[Settings], warehouse: Warehouse) -> dg.AssetCheckResult:
    """Validate a one-row summary of the log, so that its size does not matter."""
    rejected = settings.rejected_events_path
    summary = summarise_events(
        pl.scan_parquet(settings.events_dir / "**/*.parquet"),
        pl.scan_parquet(rejected) if rejected.exists() else pl.LazyFrame(schema=REJECTED_EVENTS),
        warehouse.read("catalogue.items")["item_id"],
    )
    return _result(validate(summary, events_suite(settings.quality)), EVENTS_KEY)


CHECKS = [audit_staged_items, audit_events]
