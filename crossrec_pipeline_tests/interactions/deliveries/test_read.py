import gzip
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.errors import EventsError, SettingsError
from crossrec_pipeline.interactions.schema import REJECTED_EVENTS
from crossrec_pipeline_tests.interactions.deliveries.growing_log import HEADER, NOW, GrowingLog

FIRST, SECOND = date(2024, 3, 1), date(2024, 3, 2)


def test_rows_go_to_the_days_of_their_events(log: GrowingLog):
    log.deliver(
        "a.csv", "u1,A,2024-03-01T10:00", "u1,B,2024-03-02T00:00", "u1,A,2024-03-02T01:00+02"
    )
    reading = log.read()
    assert reading.days == (FIRST, SECOND)
    # 01:00 at +02 is 23:00 of the day before in UTC.
    assert log.publish("2024-03-01").n_in == 2
    assert log.publish("2024-03-02").n_in == 1


def test_each_delivery_is_read_once(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    first = log.read()
    log.deliver("b.csv", "u1,A,2024-03-02", "u1,B,2024-03-02")
    second, third = log.read(), log.read()
    assert (first.n_read, first.n_rows_read, first.n_rows) == (1, 1, 1)
    assert (second.n_read, second.n_rows_read, second.n_rows) == (1, 2, 3)
    assert (third.n_read, third.n_rows_read, third.n_rows) == (0, 0, 3)
    assert (second.days, third.days) == ((SECOND,), ())
    assert first.version != second.version == third.version


def test_file_that_was_only_touched_is_not_read_again(log: GrowingLog):
    path = log.deliver("a.csv", "u1,A,2024-03-01")
    version = log.read().version
    log.age(path, 60)
    again = log.read()
    assert (again.n_read, again.days, again.version) == (0, (), version)


def test_corrected_delivery_takes_the_place_of_the_former(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01", "u1,B,2024-03-01")
    log.read()
    log.deliver("a.csv", "u1,A,2024-03-02", age=60)
    assert log.read().days == (FIRST, SECOND)
    assert log.days() == ["2024-03-02"]


def test_appended_file_touches_only_the_days_that_it_adds_to(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    log.read()
    log.deliver("a.csv", "u1,A,2024-03-01", "u1,A,2024-03-02", age=60)
    assert log.read().days == (SECOND,)


def test_delivery_that_is_gone_keeps_what_it_delivered(log: GrowingLog):
    path = log.deliver("a.csv", "u1,A,2024-03-01")
    log.deliver("b.csv", "u1,A,2024-03-02")
    log.read()
    path.unlink()
    assert log.read().days == ()
    assert log.days() == ["2024-03-01", "2024-03-02"]


def test_delivery_without_rows_takes_back_what_it_delivered(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    log.deliver("b.csv", "u1,A,2024-03-02")
    log.read()
    log.deliver("a.csv", age=60)
    assert log.read().days == (FIRST,)
    assert log.days() == ["2024-03-02"]


def test_delivery_without_rows_is_no_error(log: GrowingLog):
    log.deliver("a.csv")
    log.deliver("b.csv", "u1,A,2024-03-02")
    assert log.read().n_deliveries == 2


def test_every_format_gives_the_same_pieces(log: GrowingLog):
    rows = ["u1,A,2024-03-01T10:00:00", "u2,B,2024-03-01T11:00:00"]
    log.deliver("a.csv", *rows)
    version = log.read().version
    (log.log / "a.csv").write_bytes(gzip.compress("\n".join([HEADER, *rows]).encode()))
    log.age(log.log / "a.csv", 60)
    again = log.read()
    assert (again.n_read, again.version) == (1, version)


def test_prefixes_and_columns_are_applied_and_read_again_when_they_change(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01", header="user_id,asin,timestamp")
    log.read(columns={"item_id": "asin"})
    log.deliver("a.csv", "u1,A,2024-03-01,toy", header="user_id,asin,timestamp,kind", age=60)
    columns = {"item_id": "asin", "item_type": "kind"}
    reading = log.read(columns=columns, prefixes={"Toy": "Toy_"})
    assert reading.days == (FIRST,)
    log.publish("2024-03-01", pl.DataFrame({"item_id": ["Toy_A"]}))
    assert log.accepted("2024-03-01")["item_id"].to_list() == ["Toy_A"]
    assert log.read(columns=columns, prefixes={"Toy": "Plaything_"}).days == (FIRST,)


def test_another_way_to_write_the_place_is_the_same_log(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    log.read()
    assert log.read(location=f"{log.log}/").days == ()


def test_rows_without_a_usable_time_are_kept_with_their_reason(log: GrowingLog):
    log.deliver("b.csv", "u1,A,soon", "u1,A,", "u1,,", "u1,A,2024-03-01")
    log.deliver("a.csv", "u1,Z,2024-02-31", "u1,A,2024-03-01")
    counts = {"unparseable_timestamp": 2, "no_timestamp": 1, "no_item": 1}
    assert log.read().undated == counts
    undated = log.undated()
    assert undated.schema == pl.Schema(REJECTED_EVENTS)
    assert undated.select("log_order", "item_id", "reason").rows() == [
        (1, "Z", "unparseable_timestamp"),
        (2, "A", "unparseable_timestamp"),
        (3, "A", "no_timestamp"),
        (4, None, "no_item"),
    ]


def test_file_of_undated_rows_goes_with_the_last_of_them(log: GrowingLog):
    log.deliver("a.csv", "u1,A,soon", "u1,A,2024-03-01")
    log.read()
    log.deliver("a.csv", "u1,A,2024-03-01", age=60)
    assert log.read().undated == {}
    assert not (log.rejected / "undated.parquet").exists()


def test_young_files_are_left_until_they_have_settled(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    log.deliver("b.csv", "u1,A,2024-03-02", age=1)
    assert list(log.read().left) == ["b.csv"]
    assert log.read(NOW + timedelta(minutes=1)).days == (SECOND,)


# What is refused


def test_directory_without_a_log_yet(log: GrowingLog):
    (log.log / "notes.txt").write_text("x")
    with pytest.raises(EventsError, match=r"nothing to read yet \(notes\.txt: its ending"):
        log.read()


def test_bad_deliveries_are_named_and_the_others_are_read(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    log.deliver("b.csv", "u1,A")
    log.deliver("c.csv", "u1,A,2024-03-01", header="user_id,asin,timestamp")
    log.deliver("d.csv", "u1,A,2024-03-02")
    with pytest.raises(EventsError) as refused:
        log.read()
    one, other = str(refused.value).splitlines()
    assert "b.csv, line 2 has 2 fields, the header has 3" in one
    assert "c.csv has no column 'item_id'" in other
    assert log.days() == ["2024-03-01", "2024-03-02"]


def test_delivery_none_of_whose_times_can_be_read(log: GrowingLog):
    log.deliver("a.csv", "u1,A,", "u1,A,red", "u1,A,blue")
    with pytest.raises(EventsError, match=r"as a time; the first is 'red' \(row 2\)"):
        log.read()
    assert log.days() == []


def test_repaired_delivery_is_read(log: GrowingLog):
    log.deliver("a.csv", "u1,A")
    with pytest.raises(EventsError):
        log.read()
    log.deliver("a.csv", "u1,A,2024-03-01", age=60)
    assert log.read().days == (FIRST,)


def test_another_place_is_refused_so_that_nothing_is_lost(log: GrowingLog):
    log.deliver("old/a.csv", "u1,A,2024-03-01")
    log.deliver("new/b.csv", "u1,A,2024-03-02")
    log.read(location=f"{log.log}/old")
    with pytest.raises(
        EventsError, match=r"delivered to .*/old, and CROSSREC_EVENTS is now .*/new"
    ):
        log.read(location=f"{log.log}/new")
    assert log.days() == ["2024-03-01"]


def test_mapping_of_a_column_that_is_not_ours(log: GrowingLog):
    log.deliver("a.csv", "u1,A,2024-03-01")
    with pytest.raises(SettingsError, match="there is no column 'item'"):
        log.read(columns={"item": "asin"})


# What a killed reading leaves

KILLED = """
import os, signal, sys
from pathlib import Path
from crossrec_pipeline import atomic
from crossrec_pipeline_tests.interactions.deliveries import growing_log

written, kill_at = 0, int(sys.argv[2])
real_fsync = os.fsync

def fsync(descriptor):
    global written
    written += 1
    if written == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    real_fsync(descriptor)

atomic.os.fsync = fsync
log = growing_log.GrowingLog.__new__(growing_log.GrowingLog)
directory = Path(sys.argv[1])
log.log, log.deliveries = directory / "log", directory / "deliveries"
log.rejected = directory / "rejected"
log.copies = directory / "copies"
log.read()
"""


@pytest.mark.parametrize("kill_at", [1, 3, 4, 5])
def test_killed_reading_leaves_the_old_state_or_the_new(
    log: GrowingLog, tmp_path: Path, kill_at: int
):
    log.deliver("a.csv", "u1,A,2024-03-01", "u1,A,soon")
    before = log.read()
    # Written through: three pieces of each (two days, undated), the ledger, and the undated rows.
    rows = ["u2,B,2024-03-01", "u2,A,2024-03-02", "u2,A,later"]
    log.deliver("a.csv", *rows, age=60)
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(kill_at)]
    assert subprocess.run(command, check=False).returncode == -9
    assert log.days() in (["2024-03-01"], ["2024-03-01", "2024-03-02"])
    after = log.read()
    assert after.version != before.version
    assert after.undated == {"unparseable_timestamp": 1}
    assert log.undated()["user_id"].to_list() == ["u2"]
    assert len(list((log.deliveries / "pieces").iterdir())) <= 2
    log.publish("2024-03-01")
    assert log.accepted("2024-03-01")["user_id"].to_list() == ["u2"]
