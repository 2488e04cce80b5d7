"""In: the event log by day, at any URL that Spark reads. Out: the sessions of each day.

One job makes all days. Spark leaves its own files, several a day, in a staging folder; each day is
then put together here into the one file that all engines write. `pyspark` is an extra of this
package and is imported when a function is called.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.sessions.day_files import DaySessions, day_path, write_day
from crossrec_pipeline.sessions.engines.day_events import (
    PARTS,
    find_events,
    gap_in_us,
    refuse_shared_sessions,
)
from crossrec_pipeline.sessions.engines.exchange import Exchange
from crossrec_pipeline.sessions.expression import in_file_order, sessions_by_date
from crossrec_pipeline.sessions.schema import EVENT_TYPE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_BATCH_ROWS = 1 << 18

_EVENTS = (
    "date",
    "session_id",
    "user_id",
    "item_id",
    "unix_micros(timestamp) as time_us",
    "log_order",
)

_CAUSED_BY = "Caused by: "
_JAVA_CLASS = re.compile(r"^(?:[a-z_]\w*\.)+[A-Z][\w$]*: ")
_PYTHON_PREFIX = re.compile(r"^An error occurred while calling \S+\s*:?\s*")


@dataclass(frozen=True)
class SparkDay:
    """What Spark made of a day.

    Attributes
    ----------
    day
        UTC.
    sessions
        What the day's file says of itself.
    n_without_id
        Events with neither a session id nor a user id, as Spark counted them.
    """

    day: date
    sessions: DaySessions
    n_without_id: int

    @property
    def is_complete(self) -> bool:
        """Whether every event is in a session, or has no id."""
        return self.sessions.n_unattributed == self.n_without_id


def sessionise_days(
    spark: "SparkSession",
    events_dir: Path,
    days: Sequence[date],
    exchange: Exchange,
    target_dir: Path,
    gap_minutes: float,
    progress: Progress,
    *,
    event_types: bool = False,
) -> list[SparkDay]:
    """Write the sessions of days.

    Parameters
    ----------
    spark
        See `spark_session`.
    events_dir
        Holds ``date=YYYY-MM-DD/part-*.parquet`` with the columns of `interactions.schema.EVENTS`.
    days
        Which of them, UTC.
    exchange
        Where Spark finds the same events, and where it may leave its files.
    target_dir
        Gets a file for each day, see `sessions.schema.SESSION_EVENTS`.
    gap_minutes
        Longest silence inside a session, minutes.
    progress
        Receives a line when Spark is done, and after each day.
    event_types
        Whether the type of each event is kept.

    Raises
    ------
    SessionsError
        If a day has no events, two users have a session of the same id, or Spark fails; it says
        why.
    """
    if not days:
        return []
    carried = [EVENT_TYPE] if event_types else []
    found = {day: find_events(events_dir, day) for day in days}
    with _said_by_spark(exchange.events):
        log = _read(spark, exchange.events, days, carried)
        events = nw.from_native(log)
        n_without_id = _count_without_id(log)
        refuse_shared_sessions(events)
        sessions: DataFrame = in_file_order(
            sessions_by_date(events, gap_in_us(gap_minutes), carried), "date"
        ).to_native()
        # The files of a day, in the order of their names, hold its rows in order.
        sessions.write.mode("overwrite").partitionBy("date").parquet(exchange.staging)
    progress(f"Spark {spark.version} has made {len(days)} days")
    made = []
    for day in days:
        of_day = write_day(
            day_path(target_dir, day),
            _staged(exchange.staging, day),
            events_digest=found[day].digest,
            gap_minutes=gap_minutes,
            n_events=found[day].n_events,
            event_types=event_types,
        )
        made.append(SparkDay(day, of_day, n_without_id.get(day, 0)))
        progress(f"{day}: {of_day.n_sessions:,} sessions of {of_day.n_events:,} events")
    return made


def first_cause(error: BaseException) -> str:
    """Return the message of what went wrong first, of an error that Java has wrapped in others."""
    lines = [line.strip() for line in _PYTHON_PREFIX.sub("", str(error)).splitlines()]
    causes = [line.removeprefix(_CAUSED_BY) for line in lines if line.startswith(_CAUSED_BY)]
    said = causes[-1] if causes else next(filter(None, lines), type(error).__name__)
    return _JAVA_CLASS.sub("", said)


@contextmanager
def _said_by_spark(events: str) -> Iterator[None]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise SessionsError(
            f"Spark cannot make sessions of {events}: {first_cause(error)}"
        ) from error


def _read(
    spark: "SparkSession", events: str, days: Sequence[date], carried: Sequence[str]
) -> "DataFrame":
    folders = (f"{events}/date={day.isoformat()}" for day in days)
    return spark.read.option("basePath", events).parquet(*folders).selectExpr(*_EVENTS, *carried)


def _count_without_id(log: "DataFrame") -> dict[date, int]:
    nobody = log.where("session_id is null and user_id is null").groupBy("date").count()
    return {row["date"]: row["count"] for row in nobody.collect()}


def _staged(staging: str, day: date) -> Iterator[pa.Table]:
    fs, folder = fsspec.core.url_to_fs(f"{staging}/date={day.isoformat()}")
    for path in sorted(str(path) for path in fs.glob(f"{folder}/{PARTS}")):
        with fs.open(path, "rb") as file:
            for batch in pq.ParquetFile(file).iter_batches(_BATCH_ROWS):
                yield pa.Table.from_batches([batch])
