from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from crossrec_pipeline.sessions.days import bring_up_to_date
from crossrec_pipeline.sessions.lasting_sessions import LastingSessions, find_lasting_sessions
from crossrec_pipeline_tests.sessions.logs import Event, write_log

MIDNIGHT = 24 * 60


def find(tmp_path: Path, days_of: dict[str, list[int]], memory: int = 10**6) -> LastingSessions:
    """Look for sessions that have an event on each of some days, from 0."""
    events = [
        Event(None, "a", day * MIDNIGHT, session_id)
        for session_id, days in days_of.items()
        for day in days
    ]
    by_day = tmp_path / "by_day"
    days = bring_up_to_date(write_log(tmp_path / "events", events), by_day, 30).days
    return find_lasting_sessions(by_day, days, tmp_path, memory)


DAYS_OF = {"once": [0], "two": [0, 1], "far": [0, 3], "often": [1, 2, 3], "other": [2]}


@pytest.mark.parametrize("memory", [10**6, 300])
def test_sessions_of_several_days_have_a_last_day(tmp_path: Path, memory: int) -> None:
    lasting = find(tmp_path, DAYS_OF, memory)
    first = date(2023, 1, 1).toordinal()
    last_days = lasting.last_day_of(pa.array([*DAYS_OF, "never met"]))
    assert last_days.tolist() == [-1, first + 1, first + 3, first + 3, -1, -1]
    assert len(lasting.hashes) == 3


def test_what_waited_on_disk_is_gone_afterwards(tmp_path: Path) -> None:
    find(tmp_path, DAYS_OF, memory=300)
    assert {path.name for path in tmp_path.iterdir()} == {"events", "by_day"}


def test_without_sessions_of_several_days_none_lasts(tmp_path: Path) -> None:
    lasting = find(tmp_path, {"a": [0], "b": [1]})
    assert lasting.last_day_of(pa.array(["a", "b"])).tolist() == [-1, -1]


def test_log_without_session_ids_has_none(tmp_path: Path) -> None:
    log = write_log(tmp_path / "events", [Event("u", "a", 0)])
    days = bring_up_to_date(log, tmp_path / "by_day", 30).days
    lasting = find_lasting_sessions(tmp_path / "by_day", days, tmp_path, 10**6)
    assert lasting.last_day_of(pa.array([], pa.string())).tolist() == []
