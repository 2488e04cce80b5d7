"""The days of a growing log as partitions: each judged, audited, and cut into sessions.

Both assets are made in one step, and each day is reported as soon as it is done, with its own
data version: a backfill of many days is one run, and what is killed in it has lost one day. (A
step's ordinary result would give all days of a run one data version, and none to a killed one.)
"""

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.check_results import check_result
from crossrec_pipeline.defs.deliveries import DELIVERIES_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.defs.metadata import counts_table
from crossrec_pipeline.defs.outdated_days import (
    first_day,
    sessions_are_current,
    stale_events,
)
from crossrec_pipeline.defs.sessions_by_day import sessionise
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.digests import files_digest
from crossrec_pipeline.interactions.day_verdicts import (
    DayVerdict,
    read_verdicts,
    require_verdicts,
    withdraw_verdict,
    write_verdict,
)
from crossrec_pipeline.interactions.deliveries import publish_day
from crossrec_pipeline.interactions.schema import EVENTS, REJECTED_EVENTS
from crossrec_pipeline.outputs import DAY_VERDICTS, DELIVERIES, SESSION_DAYS, WAREHOUSE
from crossrec_pipeline.outputs import EVENTS as EVENTS_OUTPUT
from crossrec_pipeline.quality.days import days_suite, summarise_all_days, summarise_day
from crossrec_pipeline.quality.events import EVENTS_DESCRIPTION, EVENTS_SUITE
from crossrec_pipeline.quality.validate import validate, validate_suites
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.sessions.day_files import day_path, require_about
from crossrec_pipeline.settings import Settings

BY_DAY_KEY = dg.AssetKey(["sessions", "by_day"])
DAY_KEYS = (EVENTS_KEY, BY_DAY_KEY)

_CODE_VERSION = "1"
_KINDS = {"arrays": "numpy", "duckdb": "duckdb", "polars": "polars", "pyspark": "pyspark"}


def range_tags(first: date, last: date) -> dict[str, str]:
    """Return the tags of a run that builds the days from one to another."""
    return {
        ASSET_PARTITION_RANGE_START_TAG: first.isoformat(),
        ASSET_PARTITION_RANGE_END_TAG: last.isoformat(),
    }


def day_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Return the days of the log: from its first one to today (UTC)."""
    return dg.DailyPartitionsDefinition(start_date=first_day(settings).isoformat(), end_offset=1)


def days_asset(settings: Settings) -> dg.AssetsDefinition:
    """Define the events and the sessions of each day."""

    @dg.multi_asset(
        name="days",
        specs=[
            dg.AssetSpec(
                EVENTS_KEY,
                deps=[DELIVERIES_KEY, ITEMS_KEY],
                group_name="interactions",
                kinds={"parquet", "duckdb"},
                owners=["team:data"],
                code_version=_CODE_VERSION,
                skippable=True,
                description=(
                    "Accepted events of known items of a day: of all deliveries together, late "
                    "ones too, each event once. Refused ones, with reasons, lie in rejected/."
                ),
            ),
            dg.AssetSpec(
                BY_DAY_KEY,
                deps=[EVENTS_KEY],
                group_name="sessions",
                kinds={"parquet", _KINDS[settings.sessions.engine]},
                owners=["team:data"],
                code_version=_CODE_VERSION,
                skippable=True,
                description=(
                    "The day's events grouped into sessions by inactivity, cut at midnight (UTC); "
                    "sessions/sequences joins them over midnight."
                ),
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                EVENTS_SUITE, asset=EVENTS_KEY, description=EVENTS_DESCRIPTION, blocking=True
            )
        ],
        partitions_def=day_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        pool=DUCKDB_POOL,
    )
    @reports_errors
    @stored(reads=[WAREHOUSE, DELIVERIES], writes=[EVENTS_OUTPUT, DAY_VERDICTS, SESSION_DAYS])
    def days(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: Warehouse,
    ) -> Iterator[dg.AssetMaterialization | dg.AssetCheckResult]:
        """Bring the chosen days up to date; the days that already are cost a look."""
        chosen = [date.fromisoformat(key) for key in context.partition_keys]
        if EVENTS_KEY in context.selected_asset_keys:
            items = warehouse.read("catalogue.items")
            for day in _publish_stale(settings, items, chosen):
                yield _events_report(context, settings, day)
            yield _audit(settings, items, chosen)
        if BY_DAY_KEY in context.selected_asset_keys:
            yield from _make_sessions(context, settings, chosen)
        refused = read_verdicts(settings.day_verdicts_dir).keys() & chosen
        require_verdicts(settings.day_verdicts_dir, sorted(refused))

    return days


def _publish_stale(settings: Settings, items: pl.DataFrame, days: Sequence[date]) -> Iterator[date]:
    """Publish the days that are not as they would be; yield every day when it is."""
    stale = stale_events(settings, items, days)
    known = read_verdicts(settings.day_verdicts_dir)
    for day in days:
        if day in stale or day not in known:
            _publish(settings, items, day, known.get(day))
        yield day


def _publish(settings: Settings, items: pl.DataFrame, day: date, before: DayVerdict | None) -> None:
    """Publish a day, which waits for its checks then."""
    withdraw_verdict(settings.day_verdicts_dir, day)
    directories = settings.deliveries_dir, settings.events_dir, settings.rejected_dir
    summary = publish_day(day, items, *directories, datetime.now(UTC))
    if before is not None and before.version == summary.digest:
        files = before.files
    else:
        files = files_digest((settings.events_dir / f"date={day}").glob("part-*.parquet"))
    verdict = DayVerdict(summary.digest, files, summary.n_accepted, summary.n_rejected)
    write_verdict(settings.day_verdicts_dir, day, verdict)


def _events_report(
    context: dg.AssetExecutionContext, settings: Settings, day: date
) -> dg.AssetMaterialization:
    verdict = read_verdicts(settings.day_verdicts_dir)[day]
    return dg.AssetMaterialization(
        EVENTS_KEY,
        partition=day.isoformat(),
        metadata={
            "dagster/row_count": verdict.n_events,
            "events rejected": sum(verdict.n_rejected.values()),
            "rejected by reason": counts_table(verdict.n_rejected, "reason", "events"),
            "path": dg.MetadataValue.path(settings.events_dir / f"date={day}"),
        },
        tags=_version_tags(context, EVENTS_KEY, verdict.version),
    )


def _version_tags(
    context: dg.AssetExecutionContext, key: dg.AssetKey, version: str
) -> dict[str, str]:
    code_version = context.assets_def.specs_by_key[key].code_version
    return {"dagster/data_version": version, "dagster/code_version": code_version or ""}


def _audit(settings: Settings, items: pl.DataFrame, chosen: Sequence[date]) -> dg.AssetCheckResult:
    """Check what has not passed of the chosen days, and all days together; note the verdicts.

    Where all days together fail, the chosen days that have not passed are refused with them.
    """
    verdicts = read_verdicts(settings.day_verdicts_dir)
    waiting = [day for day in chosen if day in verdicts and verdicts[day].passed is not True]
    rows = [_summary(settings, items, day) for day in waiting]
    together = summarise_all_days(
        sum(verdict.n_events for verdict in verdicts.values()),
        [verdict.n_rejected for verdict in verdicts.values()],
    )
    suite = days_suite(settings.quality)
    result = validate(pl.concat([together, *rows]), suite)
    held = [result.success] * len(rows)
    if not result.success:
        all_held, *each_held = validate_suites([(row, suite) for row in (together, *rows)])
        held = [all_held.success and one.success for one in each_held]
    for day, passed in zip(waiting, held, strict=True):
        verdict = dataclasses.replace(verdicts[day], passed=passed)
        write_verdict(settings.day_verdicts_dir, day, verdict)
    return check_result(result, EVENTS_KEY)


def _summary(settings: Settings, items: pl.DataFrame, day: date) -> pl.DataFrame:
    events = sorted((settings.events_dir / f"date={day}").glob("part-*.parquet"))
    rejected = settings.rejected_dir / f"date={day}.parquet"
    return summarise_day(
        day.isoformat(),
        pl.scan_parquet(events) if events else pl.LazyFrame(schema=EVENTS),
        pl.scan_parquet(rejected) if rejected.exists() else pl.LazyFrame(schema=REJECTED_EVENTS),
        items["item_id"],
    )


def _make_sessions(
    context: dg.AssetExecutionContext, settings: Settings, chosen: Sequence[date]
) -> Iterator[dg.AssetMaterialization]:
    """Make the sessions of the days that have passed, and report each day when it is done."""
    verdicts = read_verdicts(settings.day_verdicts_dir)
    passed = [day for day in chosen if day in verdicts and verdicts[day].passed]
    old = [day for day in passed if not sessions_are_current(settings, day, verdicts[day])]
    for day in passed:
        if day not in old:
            yield _sessions_report(context, settings, day)
    for n, day in enumerate(sessionise(context, settings, old, BY_DAY_KEY), start=1):
        context.log.debug(f"{n} of {len(old)} days have their sessions")
        yield _sessions_report(context, settings, day)


def _sessions_report(
    context: dg.AssetExecutionContext, settings: Settings, day: date
) -> dg.AssetMaterialization:
    about = require_about(day_path(settings.sessions_by_day_dir, day))
    return dg.AssetMaterialization(
        BY_DAY_KEY,
        partition=day.isoformat(),
        metadata={
            "dagster/row_count": about.n_events - about.n_unattributed,
            "sessions": about.n_sessions,
            "events without a session or user id": about.n_unattributed,
            "path": dg.MetadataValue.path(day_path(settings.sessions_by_day_dir, day)),
        },
        tags=_version_tags(context, BY_DAY_KEY, about.digest),
    )
