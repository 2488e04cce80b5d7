"""In: the events of a day, as files and as a frame. Out: what every engine must know of them."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.digests import files_digest
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.build import MICROSECONDS_PER_MINUTE, shared_session
from crossrec_pipeline.sessions.expression import shared_sessions

PARTS = "part-*.parquet"


@dataclass(frozen=True)
class DayEvents:
    """The files of a day's events.

    Attributes
    ----------
    folder
        Holds them.
    digest
        Of their content.
    n_events
        Rows of all of them.
    """

    folder: Path
    digest: str
    n_events: int


def find_events(events_dir: Path, day: date) -> DayEvents:
    """Find the events of a day.

    Raises
    ------
    SessionsError
        If there are none, or a file is not whole.
    """
    folder = events_dir / f"date={day.isoformat()}"
    parts = sorted(folder.glob(PARTS))
    if not parts:
        raise SessionsError(
            f"{folder} holds no events ({PARTS}). Build interactions/events of that day first."
        )
    return DayEvents(folder, files_digest(parts), sum(_n_rows(part) for part in parts))


def _n_rows(part: Path) -> int:
    try:
        return pq.read_metadata(part).num_rows
    except (OSError, pa.ArrowException) as error:
        raise SessionsError(
            f"{part} is not whole ({error}). Build interactions/events of that day again."
        ) from error


def refuse_shared_sessions(events: nw.LazyFrame[Any]) -> None:
    """Refuse events among which two users have a session of the same id.

    Raises
    ------
    SessionsError
        Naming the first such id, and the users.
    """
    found = shared_sessions(events).sort("session_id").head(1).collect(backend="pyarrow")
    for session_id, one, other in found.rows():
        raise shared_session(session_id, one, other)


def gap_in_us(gap_minutes: float) -> int:
    """Return a gap in the unit of the log's times."""
    return round(gap_minutes * MICROSECONDS_PER_MINUTE)
