from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions import day_files
from crossrec_pipeline.sessions.day_files import (
    DaySessions,
    latest_days,
    read_about,
    read_day,
    read_session_ids,
    require_about,
    write_day,
)
from crossrec_pipeline.sessions.schema import SESSION_EVENTS

LENGTHS = [3, 1, 4, 2]
"""Events of four sessions, of which the second has an id of the log."""


def rows() -> pa.Table:
    n_events = sum(LENGTHS)
    session = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    return pl.DataFrame(
        {
            "session_id": [None if n != 1 else "s" for n in session],
            "user_id": [f"u{n}" for n in session],
            "start_us": session * 100,
            "position": [n for length in LENGTHS for n in range(length)],
            "item_id": [f"i{n % 3}" for n in range(n_events)],
            "time_us": session * 100 + np.arange(n_events),
            "log_order": range(n_events),
        },
        schema=SESSION_EVENTS,
    ).to_arrow()


def write(path: Path, tables: list[pa.Table]) -> DaySessions:
    return write_day(path, tables, events_digest="abc", gap_minutes=30.0, n_events=11)


def test_file_says_what_it_was_made_of_and_what_is_in_it(tmp_path: Path) -> None:
    about = write(tmp_path / "day.parquet", [rows()])
    # 10 of the 11 events are in sessions.
    assert about == DaySessions("abc", 30.0, 11, 1, 4, 1)
    assert read_about(tmp_path / "day.parquet") == about


def test_version_changes_with_the_events_and_with_the_gap() -> None:
    digests = {
        DaySessions(events, gap, 1, 0, 1, 0).digest for events in ("a", "b") for gap in (20.0, 30.0)
    }
    assert len(digests) == 4
    assert DaySessions("a", 30, 1, 0, 1, 0).digest in digests


def test_tables_may_be_cut_anywhere_and_hold_plain_texts(tmp_path: Path) -> None:
    pieces = [rows().slice(begin, 2) for begin in range(0, 10, 2)]
    write(tmp_path / "day.parquet", pieces)
    assert pl.read_parquet(tmp_path / "day.parquet").equals(pl.DataFrame(rows()))


@pytest.mark.parametrize(("n_rows", "groups"), [(1, [3, 1, 4, 2]), (4, [4, 4, 2]), (5, [4, 4, 2])])
def test_row_groups_hold_whole_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_rows: int, groups: list[int]
) -> None:
    monkeypatch.setattr(day_files, "ROWS_AT_A_TIME", n_rows)
    path = tmp_path / "day.parquet"
    write(path, [rows().slice(begin, 1) for begin in range(10)])
    metadata = pq.read_metadata(path)
    found = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert found == groups


def test_day_is_read_a_row_group_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_files, "ROWS_AT_A_TIME", 4)
    write(tmp_path / "day.parquet", [rows()])
    batches = list(read_day(tmp_path / "day.parquet"))
    assert [batch.offsets.tolist() for batch in batches] == [[0, 3, 4], [0, 4], [0, 2]]
    assert [batch.user_id.to_pylist() for batch in batches] == [["u0", "u1"], ["u2"], ["u3"]]
    assert [batch.session_id.to_pylist() for batch in batches] == [[None, "s"], [None], [None]]
    assert [batch.is_last for batch in batches] == [False, False, True]
    items = [item for batch in batches for item in batch.item_ids.take(batch.item_code).to_pylist()]
    assert items == rows()["item_id"].to_pylist()
    assert np.concatenate([b.time_us for b in batches]).tolist() == rows()["time_us"].to_pylist()


def test_dictionary_of_a_row_group_holds_only_what_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_files, "ROWS_AT_A_TIME", 4)
    write(tmp_path / "day.parquet", [rows()])
    batches = list(read_day(tmp_path / "day.parquet"))
    assert [len(batch.user_id.dictionary) for batch in batches] == [2, 1, 1]


@pytest.mark.parametrize(
    ("window_days", "kept"), [(None, [1, 2, 7, 9]), (3, [7, 9]), (8, [2, 7, 9]), (99, [1, 2, 7, 9])]
)
def test_window_counts_days_of_the_calendar_back_from_the_last(
    window_days: int | None, kept: list[int]
) -> None:
    days = [date(2023, 1, day) for day in (9, 1, 7, 2)]
    assert [day.day for day in latest_days(days, window_days)] == kept
    assert latest_days([], window_days) == []


def test_session_ids_of_the_log_are_read(tmp_path: Path) -> None:
    write(tmp_path / "day.parquet", [rows()])
    assert read_session_ids(tmp_path / "day.parquet").to_pylist() == ["s"]


def test_day_without_rows_can_be_read(tmp_path: Path) -> None:
    write(tmp_path / "day.parquet", [])
    assert list(read_day(tmp_path / "day.parquet")) == []
    assert read_session_ids(tmp_path / "day.parquet").to_pylist() == []


def test_file_of_another_program_is_not_taken_for_a_day(tmp_path: Path) -> None:
    pq.write_table(rows(), tmp_path / "day.parquet")
    assert read_about(tmp_path / "day.parquet") is None
    with pytest.raises(SessionsError, match=r"day\.parquet is missing.*Rebuild that day"):
        require_about(tmp_path / "day.parquet")
