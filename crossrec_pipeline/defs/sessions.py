"""Sessions, split in time and memory-mapped."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import dagster as dg

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.defs.automation import after_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.days import BY_DAY_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.defs.metadata import counts_table, lineage
from crossrec_pipeline.defs.outdated_days import days_in_use, days_version, sessions_are_current
from crossrec_pipeline.defs.sessions_by_day import sessionise_changed
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.day_verdicts import DayVerdict, require_verdicts
from crossrec_pipeline.interactions.verdict import LogVerdict
from crossrec_pipeline.outputs import (
    DAY_VERDICTS,
    EVENTS,
    LOG_VERDICT,
    SESSION_DAYS,
    SESSIONS,
    WAREHOUSE,
)
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.sessions.assemble import assemble
from crossrec_pipeline.sessions.dataset import write_session_dataset
from crossrec_pipeline.sessions.statistics import SessionStatistics
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings

SEQUENCES_KEY = dg.AssetKey(["sessions", "sequences"])
DAYS_TAG = "crossrec/days"
"""On what was made of a growing log: the content version of its days."""


def statistics_path(settings: Settings) -> Path:
    """Return where the counts of the last build lie."""
    return settings.sessions_dir.with_name("session_statistics.json")


_DESCRIPTION = (
    "Events grouped into sessions by inactivity, cut once in time into train, validation and test, "
    "as memory-mapped arrays; the vocabulary is made from train alone."
)


@dg.asset(
    key=SEQUENCES_KEY,
    deps=[EVENTS_KEY, ITEMS_KEY],
    group_name="sessions",
    kinds={"duckdb", "numpy"},
    owners=["team:data"],
    code_version="1",
    pool=DUCKDB_POOL,
    automation_condition=after_upstream(),
    description=_DESCRIPTION,
)
@reports_errors
@stored(reads=[WAREHOUSE, EVENTS, LOG_VERDICT], writes=[SESSIONS, SESSION_DAYS])
def sequences(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: Warehouse
) -> dg.MaterializeResult:
    """Build the session data set of a whole log; sessions of days that are as they were stay."""
    LogVerdict(settings.log_verdict_path).require()
    if settings.sessions.engine != "arrays":
        sessionise_changed(context, settings, SEQUENCES_KEY)
    statistics = write_session_dataset(
        settings.events_dir,
        warehouse.read("catalogue.items"),
        settings.sessions,
        settings.split,
        settings.sessions_dir,
        by_day_dir=settings.sessions_by_day_dir,
        memory_limit=settings.sessions.memory_limit,
        progress=context.log.debug,
    )
    return _result(settings, statistics, EVENTS_KEY)


@dg.asset(
    key=SEQUENCES_KEY,
    deps=[dg.AssetDep(BY_DAY_KEY, partition_mapping=dg.AllPartitionMapping()), ITEMS_KEY],
    group_name="sessions",
    kinds={"numpy"},
    owners=["team:data"],
    code_version="1",
    pool=DUCKDB_POOL,
    # The sensor `rebuild_days` asks for it, once all days are up to date.
    automation_condition=None,
    description=f"{_DESCRIPTION} What crosses midnight is joined first.",
)
@reports_errors
@stored(reads=[WAREHOUSE, DAY_VERDICTS, SESSION_DAYS], writes=[SESSIONS])
def sequences_of_days(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: Warehouse
) -> dg.MaterializeResult:
    """Build the session data set of a growing log."""
    days = days_in_use(settings)
    require_verdicts(settings.day_verdicts_dir, days)
    _require_sessions(settings, days)
    statistics = assemble(
        settings.sessions_by_day_dir,
        tuple(days),
        warehouse.read("catalogue.items"),
        settings.sessions,
        settings.split,
        settings.sessions_dir,
        settings.sessions.memory_limit,
        context.log.debug,
    )
    result = _result(settings, statistics, BY_DAY_KEY)
    return result._replace(
        metadata={
            **(result.metadata or {}),
            "first day": str(min(days)),
            "last day": str(max(days)),
            "days": len(days),
        },
        tags={DAYS_TAG: days_version(settings)},
    )


def _require_sessions(settings: Settings, days: Mapping[date, DayVerdict]) -> None:
    old = [str(day) for day in days if not sessions_are_current(settings, day, days[day])]
    if old or not days:
        what = f"{len(old)} of {len(days)} days ({old[0]} …)" if old else "all days"
        raise SessionsError(
            f"The sessions of {what} are not there, or of other events or another gap. Build the "
            "days of interactions/events and sessions/by_day first: `crossrec run` does, or "
            "materialise them in the UI."
        )


def _result(
    settings: Settings, statistics: SessionStatistics, parent: dg.AssetKey
) -> dg.MaterializeResult:
    """Write the counts beside the data set, and show it."""
    from crossrec_pipeline.exploration.page import preview_session_charts
    from crossrec_pipeline.rendering import png_markdown

    dataset = SessionDataset.open(settings.sessions_dir)
    counts = statistics.as_dict()
    with atomic_file(statistics_path(settings)) as partial:
        partial.write_text(json.dumps(counts, indent=1))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(statistics.sessions.values()),
            "sessions by part": counts_table(statistics.sessions, "part", "sessions"),
            "events by part": counts_table(statistics.events, "part", "events"),
            "items in the vocabulary": dataset.vocabulary.n_items,
            "statistics": dg.MetadataValue.json(counts),
            "dagster/column_lineage": lineage({"item_index": [(parent, "item_id")]}),
            "path": dg.MetadataValue.path(settings.sessions_dir),
            **{
                title: dg.MetadataValue.md(png_markdown(chart))
                for title, chart in preview_session_charts(dataset).items()
            },
        },
        data_version=dg.DataVersion(dataset.digest),
    )
