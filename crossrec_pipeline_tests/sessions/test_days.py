import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.schema import EVENTS
from crossrec_pipeline.sessions import days
from crossrec_pipeline.sessions.day_files import day_path, read_about
from crossrec_pipeline.sessions.days import bring_up_to_date, sessionise_day
from crossrec_pipeline.sessions.schema import SESSION_EVENTS
from crossrec_pipeline_tests.sessions.logs import Event, write_log

FIRST, SECOND, THIRD = (date(2023, 1, day) for day in (1, 2, 3))
MIDNIGHT = 24 * 60
LOG = [Event("u", "a", day * MIDNIGHT + minute) for day in range(3) for minute in (0, 5)]


def test_day_has_one_file_of_the_columns_promised(tmp_path: Path) -> None:
    log = write_log(tmp_path / "events", LOG)
    about = sessionise_day(log / "date=2023-01-02", tmp_path / "day.parquet", 30)
    assert pl.read_parquet(tmp_path / "day.parquet").schema == pl.Schema(SESSION_EVENTS)
    assert (about.n_events, about.n_sessions, about.n_unattributed) == (2, 1, 0)
    assert read_about(tmp_path / "day.parquet") == about


def test_events_without_a_stream_are_counted(tmp_path: Path) -> None:
    log = write_log(tmp_path / "events", [*LOG, Event(None, "a", 1), Event(None, "b", 2, "s")])
    about = sessionise_day(log / "date=2023-01-01", tmp_path / "day.parquet", 30)
    assert (about.n_events, about.n_unattributed) == (4, 1)
    assert (about.n_sessions, about.n_log_sessions) == (2, 1)


def test_day_without_files_has_no_sessions(tmp_path: Path) -> None:
    about = sessionise_day(tmp_path / "date=2023-01-01", tmp_path / "day.parquet", 30)
    assert (about.n_events, about.n_sessions) == (0, 0)
    assert pl.read_parquet(tmp_path / "day.parquet").height == 0


def test_day_of_several_files_is_one_day(tmp_path: Path) -> None:
    log = write_log(tmp_path / "events", LOG)
    day, other = log / "date=2023-01-01", log / "date=2023-01-02"
    events = pl.read_parquet(day / "part-0.parquet")
    events[:1].write_parquet(other / "part-0.parquet")
    events[1:].write_parquet(other / "part-1.parquet")
    sessionise_day(day, tmp_path / "one.parquet", 30)
    sessionise_day(other, tmp_path / "two.parquet", 30)
    one, two = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("one", "two"))
    assert one.equals(two)


def test_day_larger_than_the_memory_limit_gives_the_same_file(tmp_path: Path) -> None:
    events = [Event(f"u{n % 100}", f"i{n % 31}", n * 0.02) for n in range(5_000)]
    log = write_log(tmp_path / "events", events)
    # Building it in memory would take about 1 MB.
    large, small = tmp_path / "large.parquet", tmp_path / "small.parquet"
    one = sessionise_day(log / "date=2023-01-01", large, 30, memory_limit="1GB")
    other = sessionise_day(log / "date=2023-01-01", small, 30, memory_limit="900KB")
    assert one == other
    assert pl.read_parquet(large).equals(pl.read_parquet(small))


def test_only_days_that_changed_are_built(tmp_path: Path) -> None:
    log, by_day = write_log(tmp_path / "events", LOG), tmp_path / "by_day"
    assert bring_up_to_date(log, by_day, 30).built == (FIRST, SECOND, THIRD)
    assert bring_up_to_date(log, by_day, 30).built == ()
    late = write_log(log, [*LOG, Event("v", "b", MIDNIGHT + 9)])
    again = bring_up_to_date(late, by_day, 30)
    assert (again.days, again.built) == ((FIRST, SECOND, THIRD), (SECOND,))


def test_another_gap_builds_all_days(tmp_path: Path) -> None:
    log, by_day = write_log(tmp_path / "events", LOG), tmp_path / "by_day"
    bring_up_to_date(log, by_day, 30)
    assert bring_up_to_date(log, by_day, 2).built == (FIRST, SECOND, THIRD)
    assert pl.read_parquet(day_path(by_day, FIRST))["position"].to_list() == [0, 0]


def test_asking_for_the_types_of_events_or_no_longer_builds_all_days_again(
    tmp_path: Path,
) -> None:
    log, by_day = write_log(tmp_path / "events", LOG), tmp_path / "by_day"
    bring_up_to_date(log, by_day, 30)
    before = {path.name: path.read_bytes() for path in by_day.iterdir()}
    with_types = bring_up_to_date(log, by_day, 30, event_types=True)
    assert with_types.built == (FIRST, SECOND, THIRD)
    schema = pl.read_parquet_schema(by_day / "date=2023-01-01.parquet")
    assert schema == {**SESSION_EVENTS, "event_type": pl.String()}
    assert bring_up_to_date(log, by_day, 30, event_types=True).built == ()
    assert bring_up_to_date(log, by_day, 30).built == (FIRST, SECOND, THIRD)
    assert {path.name: path.read_bytes() for path in by_day.iterdir()} == before


def test_days_that_are_gone_are_removed(tmp_path: Path) -> None:
    log, by_day = write_log(tmp_path / "events", LOG), tmp_path / "by_day"
    bring_up_to_date(log, by_day, 30)
    (log / "date=2023-01-02" / "part-0.parquet").unlink()
    assert bring_up_to_date(log, by_day, 30).removed == (SECOND,)
    assert not day_path(by_day, SECOND).exists()


@pytest.mark.parametrize("content", [b"", b"PAR1 of another program PAR1"])
def test_what_was_broken_off_is_built_again(tmp_path: Path, content: bytes) -> None:
    log, by_day = write_log(tmp_path / "events", LOG), tmp_path / "by_day"
    bring_up_to_date(log, by_day, 30)
    day_path(by_day, SECOND).write_bytes(content)
    assert bring_up_to_date(log, by_day, 30).built == (SECOND,)


def test_days_done_before_an_error_stay_done(tmp_path: Path) -> None:
    clash = [Event(user, "a", 2 * MIDNIGHT, "s") for user in "uv"]
    log, by_day = write_log(tmp_path / "events", [*LOG, *clash]), tmp_path / "by_day"
    with pytest.raises(SessionsError, match="two users"):
        bring_up_to_date(log, by_day, 30)
    assert bring_up_to_date(write_log(log, LOG), by_day, 30).built == (THIRD,)


def test_process_that_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    events = [Event(f"u{n % 7}", "a", 30.0 * n) for n in range(2_000)]
    log, by_day = write_log(tmp_path / "events", events), tmp_path / "by_day"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from crossrec_pipeline.sessions.days import bring_up_to_date\n"
        "def say(line): print(line, flush=True); time.sleep(0.2)\n"
        "bring_up_to_date(Path(sys.argv[1]), Path(sys.argv[2]), 30, say)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(log), str(by_day)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("2023-01-01: ")
        process.kill()
    again = bring_up_to_date(log, by_day, 30)
    assert FIRST not in again.built
    clean = bring_up_to_date(log, tmp_path / "clean", 30)
    assert again.days == clean.days
    for day in clean.days:
        expected = day_path(tmp_path / "clean", day).read_bytes()
        assert day_path(by_day, day).read_bytes() == expected


def test_progress_tells_of_each_day_that_is_built(tmp_path: Path) -> None:
    log, lines = write_log(tmp_path / "events", LOG[:2]), []
    bring_up_to_date(log, tmp_path / "by_day", 30, lines.append)
    bring_up_to_date(log, tmp_path / "by_day", 30, lines.append)
    assert lines == ["2023-01-01: 1 sessions of 2 events"]


@pytest.mark.parametrize(("memory_limit", "n_days"), [("700B", 2), ("500B", 1), ("1B", 1)])
def test_as_many_days_as_memory_holds_are_built_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory_limit: str, n_days: int
) -> None:
    # Two events a day at 160 bytes each: 320 bytes a day.
    log = write_log(tmp_path / "events", LOG)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert days._n_side_by_side(log.iterdir(), memory_limit) == n_days


def test_days_built_side_by_side_are_those_built_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write_log(tmp_path / "events", [Event(f"u{n % 7}", "a", 3.0 * n) for n in range(9_000)])
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    bring_up_to_date(log, tmp_path / "one", 30)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    bring_up_to_date(log, tmp_path / "four", 30)
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "four" / path.name).read_bytes() == path.read_bytes()


def test_directory_without_events_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionsError, match=r"holds no events.*interactions/events"):
        bring_up_to_date(tmp_path, tmp_path / "by_day", 30)


def test_directory_that_is_no_day_is_refused(tmp_path: Path) -> None:
    log = write_log(tmp_path / "events", LOG)
    (log / "date=2023-01-01").rename(log / "date=monday")
    with pytest.raises(SessionsError, match=r"date=monday is no day.*date=2023-01-31"):
        bring_up_to_date(log, tmp_path / "by_day", 30)


def test_file_that_is_not_whole_is_named(tmp_path: Path) -> None:
    log = write_log(tmp_path / "events", LOG)
    path = log / "date=2023-01-02" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SessionsError, match=r"date=2023-01-02/part-0\.parquet is missing or not"):
        bring_up_to_date(log, tmp_path / "by_day", 30)


def test_empty_files_are_days_without_sessions(tmp_path: Path) -> None:
    (tmp_path / "date=2023-01-01").mkdir()
    pl.DataFrame(schema=EVENTS).write_parquet(tmp_path / "date=2023-01-01" / "part-0.parquet")
    assert bring_up_to_date(tmp_path, tmp_path / "by_day", 30).built == (FIRST,)
