"""The sensor of a growing log: it asks for the days that are out of date, then for the sessions.

What is out of date is decided by the content on disk. A condition on the data versions of the days
would see neither a changed catalogue nor what a killed backfill has left.
"""

import json
from collections.abc import Sequence
from datetime import date

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from crossrec_pipeline.defs.catalogue import ITEMS_KEY, STAGED_ITEMS
from crossrec_pipeline.defs.days import DAY_KEYS, range_tags
from crossrec_pipeline.defs.deliveries import DELIVERIES_KEY
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.defs.outdated_days import (
    day_ranges,
    days_version,
    log_days,
    outdated_days,
    outdated_state,
)
from crossrec_pipeline.defs.sessions import DAYS_TAG, SEQUENCES_KEY
from crossrec_pipeline.defs.sources import known_version
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.outputs import (
    DAY_VERDICTS,
    DELIVERIES,
    EVENTS,
    SESSION_DAYS,
    WAREHOUSE,
    fetch_outputs,
)
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import Settings

_CODE_TAG = "dagster/code_version"
_TRIES = 2
_UNFINISHED = dg.RunsFilter(
    statuses=[
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ]
)
_LOOKED_AT = (WAREHOUSE, DELIVERIES, EVENTS, DAY_VERDICTS, SESSION_DAYS)
_WAITED_FOR = {STAGED_ITEMS, ITEMS_KEY, DELIVERIES_KEY, *DAY_KEYS, SEQUENCES_KEY}


def day_sensor(settings: Settings) -> dg.SensorDefinition:
    """Make the sensor that keeps the days of a growing log, and their sessions, up to date."""

    @dg.sensor(
        name="rebuild_days",
        target=dg.AssetSelection.assets(*DAY_KEYS, SEQUENCES_KEY),
        minimum_interval_seconds=settings.poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks for the days that new, late or changed deliveries or another catalogue have put "
            "out of date, one run for each range of days, and for sessions/sequences once the "
            "content of the days has moved. What fails is asked for once more."
        ),
    )
    def rebuild_days(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        waits = _runs_under_way(context.instance)
        if waits:
            return dg.SkipReason(f"waits for run {waits[0].run_id}")
        try:
            fetch_outputs(settings, _LOOKED_AT, context.log.info)
            state, requests = _wanted(context, settings)
        except CrossrecError as error:
            return dg.SkipReason(str(error))
        if not requests:
            context.update_cursor("")
            return dg.SkipReason("every day and the sessions are up to date")
        tries = _tries(context.cursor, state)
        if tries == _TRIES:
            return dg.SkipReason(
                "failed twice on the same content; it is asked for again when something changes"
            )
        cursor = json.dumps({"state": state, "tries": tries + 1})
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return rebuild_days


def _runs_under_way(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return [
        run
        for run in instance.get_runs(_UNFINISHED)
        if run.asset_selection is None or _WAITED_FOR.intersection(run.asset_selection)
    ]


def _tries(cursor: str | None, state: str) -> int:
    """Return how often this very state has been asked for in a row."""
    last = json.loads(cursor) if cursor else {"state": "", "tries": 0}
    return last["tries"] if last["state"] == state else 0


def _wanted(
    context: dg.SensorEvaluationContext, settings: Settings
) -> tuple[str, Sequence[dg.RunRequest]]:
    """Say what to run now, and what state of the world asks for it.

    Raises
    ------
    CrossrecError
        If there is no catalogue yet, or the code must be loaded again.
    """
    items = Warehouse(path=str(settings.warehouse_path)).read("catalogue.items")
    assert context.repository_def is not None
    graph = context.repository_def.asset_graph
    outdated = outdated_days(settings, items)
    if outdated:
        _require_partition(graph, outdated[0])
        requests = [
            dg.RunRequest(asset_selection=list(DAY_KEYS), tags=range_tags(first, last))
            for first, last in day_ranges(outdated, log_days(settings))
        ]
        return outdated_state(settings, items, outdated), requests
    code = graph.get(SEQUENCES_KEY).code_version
    made_of = [days_version(settings), known_version(context.instance, ITEMS_KEY), code]
    if made_of == _sessions_made_of(context.instance):
        return "", []
    return json_digest(made_of), [dg.RunRequest(asset_selection=[SEQUENCES_KEY])]


def _require_partition(graph: AssetGraph, day: date) -> None:
    """Refuse to ask for a day that the code, loaded before it was delivered, does not know.

    Raises
    ------
    CrossrecError
        Naming the day.
    """
    partitions = graph.get(EVENTS_KEY).partitions_def
    first = partitions.get_first_partition_key() if partitions else None
    if first is None or day.isoformat() < first:
        raise CrossrecError(
            f"The log begins on {day}, before the first day that this process knows ({first}). "
            "The daemon loads the code again within a minute; in the UI, reload the definitions."
        )


def _sessions_made_of(instance: dg.DagsterInstance) -> list[str | None]:
    """Return the versions of the days, the catalogue and the code that the sessions came from."""
    event = instance.get_latest_materialization_event(SEQUENCES_KEY)
    materialization = event.asset_materialization if event else None
    tags = (materialization.tags if materialization else None) or {}
    names = (DAYS_TAG, f"dagster/input_data_version/{ITEMS_KEY.to_user_string()}", _CODE_TAG)
    return [tags.get(name) for name in names]
