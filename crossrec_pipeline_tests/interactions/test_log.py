from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.interactions import log
from crossrec_pipeline.interactions.log import DayPartitionWriter
from crossrec_pipeline.interactions.schema import EVENTS

MIDNIGHT = datetime(2024, 2, 28, tzinfo=UTC)


def events(*hours: float, first_order: int = 0) -> pl.DataFrame:
    """Events of one user, so many hours after midnight, in the order of the log."""
    return pl.DataFrame(
        {
            "user_id": "u",
            "session_id": None,
            "item_id": "Movie_A",
            "event_type": "clicked",
            "timestamp": [MIDNIGHT + timedelta(hours=hour) for hour in hours],
            "log_order": range(first_order, first_order + len(hours)),
        },
        schema=EVENTS,
    )


def row_groups(directory: Path, day: str) -> list[list[int]]:
    """The `log_order` of the rows of each row group of a day."""
    with pq.ParquetFile(directory / f"date={day}" / "part-0.parquet") as file:
        groups = range(file.num_row_groups)
        return [file.read_row_group(group)["log_order"].to_pylist() for group in groups]


def test_frames_of_a_day_become_one_row_group_in_order_of_time(tmp_path: Path) -> None:
    with DayPartitionWriter(tmp_path) as writer:
        writer.write(events(9, 30, 8))
        writer.write(events(8, 7, first_order=3))
    # 7 h is row 4; 8 h are rows 2 and 3; 9 h is row 0. Row 1, at 30 h, is of the next day.
    assert row_groups(tmp_path, "2024-02-28") == [[4, 2, 3, 0]]
    assert row_groups(tmp_path, "2024-02-29") == [[1]]


def test_row_group_is_written_as_soon_as_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "ROWS_AT_A_TIME", 3)
    with DayPartitionWriter(tmp_path) as writer:
        for order in range(7):
            writer.write(events(order, first_order=order))
    assert row_groups(tmp_path, "2024-02-28") == [[0, 1, 2], [3, 4, 5], [6]]


def test_few_rows_of_many_days_are_written_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "ROWS_AT_A_TIME", 2)
    with DayPartitionWriter(tmp_path) as writer:
        # A day after the other, twice: the fourth row makes four, and the first day goes.
        for order in range(8):
            writer.write(events(24 * (order % 4), first_order=order))
    found = [row_groups(tmp_path, day) for day in ("2024-02-28", "2024-02-29", "2024-03-01")]
    assert found == [[[0], [4]], [[1], [5]], [[2], [6]]]


def test_day_that_is_closed_is_whole(tmp_path: Path) -> None:
    with DayPartitionWriter(tmp_path) as writer:
        writer.write(events(1, 25))
        writer.close_before((MIDNIGHT + timedelta(days=1)).date())
        assert row_groups(tmp_path, "2024-02-28") == [[0]]


@given(hours=st.lists(st.integers(0, 100), min_size=1, max_size=30), at_a_time=st.integers(1, 9))
def test_every_event_is_written_once_however_it_comes(
    tmp_path_factory: pytest.TempPathFactory, hours: list[int], at_a_time: int
) -> None:
    directory = tmp_path_factory.mktemp("log")
    with pytest.MonkeyPatch.context() as patch, DayPartitionWriter(directory) as writer:
        patch.setattr(log, "ROWS_AT_A_TIME", at_a_time)
        for order, hour in enumerate(hours):
            writer.write(events(hour, first_order=order))
    written = pl.read_parquet(directory / "*" / "*.parquet", hive_partitioning=False)
    assert written.sort("log_order").equals(events(*hours))
    assert writer.summary().n_accepted == len(hours)
