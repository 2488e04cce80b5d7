from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.build import ID_COLUMNS, build_sessions
from crossrec_pipeline.sessions.build_spilling import build_sessions_spilling
from crossrec_pipeline_tests.sessions.logs import Event, write_log
from crossrec_pipeline_tests.sessions.random_logs import dense_log, typed

MB = 10**6


def spilt(parts: list[Path], gap_minutes: float, memory_limit_bytes: int) -> pl.DataFrame:
    tables = build_sessions_spilling(parts, gap_minutes, memory_limit_bytes, parts[0].parent)
    return pl.DataFrame(pa.concat_tables(tables))


def in_memory(parts: list[Path], gap_minutes: float) -> pl.DataFrame:
    table = pa.concat_tables(pq.ParquetFile(path).read() for path in parts)
    frame = pl.DataFrame(build_sessions(table, gap_minutes))
    return frame.cast(dict.fromkeys(ID_COLUMNS, pl.String))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), gap_minutes=st.sampled_from([10.0, 30.0]))
def test_rows_are_those_built_in_memory(
    tmp_path_factory: pytest.TempPathFactory, seed: int, gap_minutes: float
) -> None:
    log = write_log(tmp_path_factory.mktemp("log"), dense_log(seed))
    parts = [log / "date=2023-01-02" / "part-0.parquet"]
    assert spilt(parts, gap_minutes, 500 * MB).equals(in_memory(parts, gap_minutes))


def test_types_of_events_are_those_built_in_memory(tmp_path: Path) -> None:
    log = write_log(tmp_path, typed(dense_log(3), 0))
    parts = [log / "date=2023-01-02" / "part-0.parquet"]
    tables = build_sessions_spilling(parts, 30, 500 * MB, tmp_path, event_types=True)
    table = build_sessions(pq.ParquetFile(parts[0]).read(), 30, event_types=True)
    frame = pl.DataFrame(table).cast(dict.fromkeys([*ID_COLUMNS, "event_type"], pl.String))
    assert frame.columns[-1] == "event_type"
    assert frame["event_type"].n_unique() == 4
    assert pl.DataFrame(pa.concat_tables(tables)).equals(frame)


def test_little_memory_gives_the_same_rows(tmp_path: Path) -> None:
    events = [Event(f"u{n % 500}", f"i{n * 7919 % 301}", n * 0.02) for n in range(50_000)]
    log = write_log(tmp_path / "events", events)
    parts = [log / "date=2023-01-01" / "part-0.parquet"]
    assert spilt(parts, 30, 60 * MB).equals(in_memory(parts, 30))
    assert [path.name for path in parts[0].parent.iterdir()] == ["part-0.parquet"]


def test_session_of_two_users_is_refused(tmp_path: Path) -> None:
    log = write_log(tmp_path, [Event("v", "a", 0, "s"), Event("u", "b", 1, "s")])
    with pytest.raises(SessionsError, match=r"'s' is used by two users, 'u' and 'v'"):
        spilt([log / "date=2023-01-01" / "part-0.parquet"], 30, 100 * MB)
