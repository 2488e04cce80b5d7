import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossrec_pipeline.errors import EventsError, SettingsError
from crossrec_pipeline.interactions.deliveries import (
    is_growing,
    location_fingerprint,
    shown_location,
)
from crossrec_pipeline.interactions.deliveries.location import SETTLE_SECONDS, find_files
from crossrec_pipeline.settings import LogSettings

NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)


def put(root: Path, *names: str, age: float = 3600.0) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
        os.utime(root / name, (NOW.timestamp() - age, NOW.timestamp() - age))


def names(location: Path | str) -> list[str]:
    return [file.name for file in find_files(str(location), NOW).files]


@pytest.mark.parametrize(
    ("location", "grows"),
    [
        ("/logs/", True),
        ("/logs/{date}.csv.gz", True),
        ("/logs/date={date}/*.parquet", True),
        ("postgresql://db/shop", True),
        ("postgres://db/shop", True),
        ("/logs/clicks.csv", False),
        ("/logs/*.csv", False),
        ("simulated", False),
    ],
)
def test_location_says_whether_the_log_grows(location: str, grows: bool):
    assert is_growing(location) is grows


def test_directory_that_is_there_needs_no_slash(tmp_path: Path):
    assert is_growing(str(tmp_path))


def test_all_log_files_below_a_directory_in_the_order_of_their_names(tmp_path: Path):
    put(tmp_path, "2024/03/b.csv", "2024/03/a.csv.gz", "2023/z.parquet", "x.jsonl")
    assert names(tmp_path) == ["2023/z.parquet", "2024/03/a.csv.gz", "2024/03/b.csv", "x.jsonl"]


def test_names_of_nobodys_log_are_passed_over(tmp_path: Path):
    put(tmp_path, ".hidden.csv", "_SUCCESS", "_temporary/0/a.csv", ".git/b.csv", "a.csv")
    found = find_files(str(tmp_path), NOW)
    assert ([file.name for file in found.files], found.left) == (["a.csv"], {})


def test_files_under_way_and_files_of_no_log_are_left_with_why(tmp_path: Path):
    put(tmp_path, "a.csv.tmp", "b.csv.partial", "notes.txt")
    found = find_files(str(tmp_path), NOW)
    assert found.files == ()
    assert found.left == {
        "a.csv.tmp": "its ending says that it is being written",
        "b.csv.partial": "its ending says that it is being written",
        "notes.txt": "its ending is not that of a log",
    }


def test_file_that_changed_just_now_is_left_for_later(tmp_path: Path):
    put(tmp_path, "young.csv", age=SETTLE_SECONDS - 0.1)
    put(tmp_path, "old.csv", age=SETTLE_SECONDS)
    found = find_files(str(tmp_path), NOW)
    assert [file.name for file in found.files] == ["old.csv"]
    assert "changed less than 10 seconds ago" in found.left["young.csv"]


def test_file_from_a_clock_far_ahead_is_not_left_for_ever(tmp_path: Path):
    put(tmp_path, "a.csv", age=-86_400)
    assert names(tmp_path) == ["a.csv"]


def test_template_matches_days_and_nothing_else(tmp_path: Path):
    put(
        tmp_path,
        "2024-03-01.csv",
        "2024-03-03.csv",
        "2024-02-31.csv",
        "today.csv",
        "2024-03-01.tsv",
    )
    assert names(tmp_path / "{date}.csv") == ["2024-03-01.csv", "2024-03-03.csv"]


def test_template_may_name_folders_and_several_files_a_day(tmp_path: Path):
    put(tmp_path, "date=2024-03-01/a.parquet", "date=2024-03-01/b.parquet", "date=x/c.parquet")
    assert names(tmp_path / "date={date}" / "*.parquet") == [
        "date=2024-03-01/a.parquet",
        "date=2024-03-01/b.parquet",
    ]


def test_date_that_stands_twice_in_a_template_is_one_date(tmp_path: Path):
    put(tmp_path, "2024-03-01/2024-03-01.csv", "2024-03-01/2024-03-02.csv")
    assert names(tmp_path / "{date}" / "{date}.csv") == ["2024-03-01/2024-03-01.csv"]


def test_template_without_files_yet_finds_none(tmp_path: Path):
    assert names(tmp_path / "later" / "{date}.csv") == []


def test_missing_directory(tmp_path: Path):
    with pytest.raises(EventsError, match=r"log/ does not exist\. Make the directory"):
        find_files(f"{tmp_path}/log/", NOW)


def test_file_that_is_named_as_a_directory(tmp_path: Path):
    put(tmp_path, "a.csv")
    with pytest.raises(EventsError, match="is not a directory"):
        find_files(f"{tmp_path}/a.csv/", NOW)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db:5432/shop", "postgresql://ann@db:5432/shop"),
        ("postgres://db/shop?user=ann&password=secret", "postgresql://db/shop"),
        ("postgresql://ann:se@cret@db/shop", "postgresql://ann@db/shop"),
        ("/logs/", "/logs/"),
    ],
)
def test_location_is_shown_without_its_password(url: str, shown: str):
    assert shown_location(url) == shown


def test_fingerprint_follows_files_that_can_be_read(tmp_path: Path):
    def fingerprint() -> str:
        return location_fingerprint(str(tmp_path), LogSettings())

    put(tmp_path, "a.csv")
    first = fingerprint()
    (tmp_path / "b.csv").write_text("still being written")
    assert fingerprint() == first
    put(tmp_path, "b.csv")
    assert fingerprint() != first


def test_url_that_is_none_is_refused_and_not_shown():
    with pytest.raises(SettingsError, match="is no URL of a database") as refused:
        shown_location("postgresql://ann:secret@[::1/shop")
    assert "secret" not in str(refused.value)
