"""In: settings and days of events. Out: a job of Spark beside Dagster, and what it has made."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.day_files import DaySessions
from crossrec_pipeline.sessions.engines.spark import SparkDay
from crossrec_pipeline.sessions.memory_limit import memory_limit_bytes
from crossrec_pipeline.settings import Settings

ROWS_CHECK = "no_event_lost_on_spark"
ROWS_DESCRIPTION = (
    "Events read = events in sessions + events with neither a session id nor a user id, for each "
    "day that Spark has made."
)

_PROCESS = "crossrec_pipeline.defs.spark_process"
_SECONDS_TO_LEAVE = 30.0


@dataclass(frozen=True)
class SparkRun:
    """What a job of Spark has made.

    Attributes
    ----------
    spark_version
        Of the Spark that did it.
    days
        In the order asked for.
    """

    spark_version: str
    days: list[SparkDay]

    def rows_check(self, key: dg.AssetKey) -> dg.AssetCheckResult:
        """Say, for the check `ROWS_CHECK` of an asset, whether each event is accounted for."""
        lost = {
            of.day.isoformat(): of.sessions.n_unattributed - of.n_without_id
            for of in self.days
            if not of.is_complete
        }
        return dg.AssetCheckResult(
            asset_key=key,
            check_name=ROWS_CHECK,
            passed=not lost,
            description=ROWS_DESCRIPTION,
            metadata={"events lost, by day": lost} if lost else {},
        )

    def metadata(self) -> dict[str, Any]:
        """Return what the UI shows: Spark's version, and all rows in and out."""
        n_events = sum(of.sessions.n_events for of in self.days)
        n_unattributed = sum(of.sessions.n_unattributed for of in self.days)
        return {
            "engine": f"Spark {self.spark_version}",
            "days": len(self.days),
            "events read": n_events,
            "dagster/row_count": n_events - n_unattributed,
            "rows by day": {
                of.day.isoformat(): of.sessions.n_events - of.sessions.n_unattributed
                for of in self.days
            },
        }


def sessionise_days_on_spark(
    context: dg.AssetExecutionContext, settings: Settings, days: Sequence[date]
) -> SparkRun:
    """Write the sessions of days by one job of Spark in a process of its own; log its lines.

    Raises
    ------
    SessionsError
        If it fails: with the job's own message.
    """
    client = dg.PipesSubprocessClient(termination_timeout_seconds=_SECONDS_TO_LEAVE)
    with tempfile.TemporaryDirectory() as scratch:
        error_file = Path(scratch) / "error.txt"
        try:
            done = client.run(
                context=context,
                command=[sys.executable, "-m", _PROCESS],
                extras={
                    "days": [day.isoformat() for day in days],
                    "events_dir": str(settings.events_dir),
                    "target_dir": str(settings.sessions_by_day_dir),
                    "gap_minutes": settings.sessions.gap_minutes,
                    "event_types": settings.sessions.event_inputs,
                    "memory_bytes": memory_limit_bytes(settings.sessions.memory_limit),
                    "master": settings.sessions.spark_master,
                    "storage": settings.sessions.spark_storage,
                    "error_file": str(error_file),
                },
            )
        except DagsterPipesExecutionError as error:
            said = error_file.read_text() if error_file.exists() else ""
            raise SessionsError(said or f"The job of Spark was lost: {error}") from error
    return _read(done.get_custom_messages()[0])


def _read(message: Mapping[str, Any]) -> SparkRun:
    days = [
        SparkDay(date.fromisoformat(of["day"]), DaySessions(**of["sessions"]), of["n_without_id"])
        for of in message["days"]
    ]
    return SparkRun(message["spark"], days)
