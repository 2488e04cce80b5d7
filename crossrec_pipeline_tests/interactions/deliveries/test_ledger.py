import json
from datetime import date
from pathlib import Path

import pytest

from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.interactions.deliveries.ledger import (
    UNDATED,
    Delivery,
    Ledger,
    Piece,
    clear_unnamed,
    known_days,
    only_reader,
    read_ledger,
    rows_by_day,
    write_ledger,
)


def delivery(version: str, **n_rows: int) -> Delivery:
    pieces = {
        day.replace("_", "-").removeprefix("d"): Piece(
            f"pieces/{version}/{day}", n, f"{version}{n}"
        )
        for day, n in n_rows.items()
    }
    return Delivery(version, "1:2", "as", "2024-03-10T12:00:00+00:00", pieces, {})


LEDGER = (
    Ledger("/logs/")
    .with_delivery("b.csv", delivery("v2", d2024_03_01=5, undated=1))
    .with_delivery("a.csv", delivery("v1", d2024_03_02=3, d2024_03_01=2))
)


def test_ledger_is_read_as_it_was_written(tmp_path: Path):
    write_ledger(LEDGER, tmp_path)
    assert read_ledger(tmp_path) == LEDGER


def test_ledger_that_is_not_there_is_that_of_no_log(tmp_path: Path):
    assert read_ledger(tmp_path) == Ledger("")
    assert known_days(tmp_path) == ()


def test_days_are_in_order_and_undated_rows_are_of_none(tmp_path: Path):
    write_ledger(LEDGER, tmp_path)
    assert known_days(tmp_path) == (date(2024, 3, 1), date(2024, 3, 2))
    assert rows_by_day(tmp_path) == {date(2024, 3, 1): 5 + 2, date(2024, 3, 2): 3}
    assert LEDGER.deliveries["b.csv"].n_rows == 5 + 1


def test_pieces_of_a_day_are_in_the_order_of_the_deliveries_names():
    assert [piece.digest for piece in LEDGER.pieces("2024-03-01")] == ["v12", "v25"]
    assert [piece.digest for piece in LEDGER.pieces(UNDATED)] == ["v21"]
    assert LEDGER.pieces("2024-03-03") == []


def test_another_version_takes_the_place_of_the_former():
    changed = LEDGER.with_delivery("a.csv", delivery("v3", d2024_03_05=1))
    assert changed.days() == ("2024-03-01", "2024-03-05")
    assert changed.version() != LEDGER.version()


def test_version_does_not_depend_on_the_order_of_reading():
    turned = Ledger("/logs/", dict(reversed(LEDGER.deliveries.items())))
    assert turned.version() == LEDGER.version()


def test_pieces_that_the_ledger_does_not_name_are_deleted(tmp_path: Path):
    for name in ("v1", "v2", "v9", ".v7.partial-999999999-ab"):
        (tmp_path / "pieces" / name).mkdir(parents=True)
    clear_unnamed(LEDGER, tmp_path)
    assert sorted(path.name for path in (tmp_path / "pieces").iterdir()) == ["v1", "v2"]


def test_ledger_of_another_format_is_refused_with_the_remedy(tmp_path: Path):
    write_ledger(LEDGER, tmp_path)
    written = json.loads((tmp_path / "ledger.json").read_text())
    (tmp_path / "ledger.json").write_text(json.dumps(written | {"format": 99}))
    with pytest.raises(EventsError, match=r"has format 99, this version reads 1\. Delete"):
        read_ledger(tmp_path)


def test_second_reader_is_refused(tmp_path: Path):
    with (
        only_reader(tmp_path),
        pytest.raises(EventsError, match="Another process is reading"),
        only_reader(tmp_path),
    ):
        pass
