import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pytest

from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.resources import Warehouse

ITEMS = pl.DataFrame({"item_id": ["Movie_A", "Book_B"], "item_type": ["Movie", "Book"]})
TYPES = {"item_type": ["Movie", "Book"]}
LARGE = pl.DataFrame({"number": range(2_000_000)})


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(path=str(tmp_path / "new" / "warehouse.duckdb"), lock_timeout_seconds=0.3)


def query(warehouse: Warehouse, sql: str) -> list[tuple]:
    with duckdb.connect(warehouse.path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


HOLD = """
import sys, duckdb
with duckdb.connect(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_by_another_process(path: str) -> Iterator[subprocess.Popen[str]]:
    """Lock a database in another process, until it is sent a line or the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process  # leaving the process's own context closes its input


def release(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_tables_read_back_as_written(warehouse: Warehouse) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS})
    assert warehouse.read("catalogue.items").equals(ITEMS)


def test_replacing_a_table_may_change_its_columns(warehouse: Warehouse) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS})
    other = pl.DataFrame({"title": ["C"]})
    warehouse.replace_tables({"catalogue.items": other})
    assert warehouse.read("catalogue.items").equals(other)


def test_columns_named_as_enums_are_enums_in_the_file_and_text_when_read(
    warehouse: Warehouse,
) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS}, enums=TYPES)
    types = query(warehouse, "select distinct typeof(item_type) from catalogue.items")
    assert types == [("ENUM('Movie', 'Book')",)]
    assert warehouse.read("catalogue.items").schema == ITEMS.schema


def test_values_of_an_enum_may_hold_quotes(warehouse: Warehouse) -> None:
    odd = pl.DataFrame({"item_type": ["Rock 'n' Roll"]})
    warehouse.replace_tables({"a.b": odd}, enums={"item_type": ["Rock 'n' Roll"]})
    assert warehouse.read("a.b").equals(odd)


def test_appended_rows_come_after_those_that_are_there_by_name(warehouse: Warehouse) -> None:
    warehouse.replace_tables({}, appended={"quality.history": ITEMS})
    warehouse.replace_tables(
        {}, appended={"quality.history": ITEMS.select(reversed(ITEMS.columns))}
    )
    assert warehouse.read("quality.history").equals(pl.concat([ITEMS, ITEMS]))


def test_reading_a_table_that_is_not_there_says_what_to_do(warehouse: Warehouse) -> None:
    with pytest.raises(CrossrecError, match=r"no table catalogue\.items yet\. .*crossrec run"):
        warehouse.read("catalogue.items")
    assert not Path(warehouse.path).exists()


def test_a_table_that_is_not_there_can_be_read_as_empty(warehouse: Warehouse) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS})
    empty = warehouse.read_or_empty("catalogue.others", {"n": pl.Int64()})
    assert empty.equals(pl.DataFrame(schema={"n": pl.Int64}))
    assert warehouse.read_or_empty("catalogue.items", {}).equals(ITEMS)


def test_when_one_table_cannot_be_written_none_is(warehouse: Warehouse) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS}, enums=TYPES)
    unknown_type = pl.DataFrame({"item_id": ["Song_C"], "item_type": ["Song"]})
    with pytest.raises(CrossrecError) as caught:
        warehouse.replace_tables(
            {"catalogue.items": ITEMS.head(1), "catalogue.more": unknown_type}, enums=TYPES
        )
    message = str(caught.value)
    assert f"Writing catalogue.items, catalogue.more to {warehouse.path} failed" in message
    assert "nothing was changed. DuckDB says: " in message
    assert "'Song'" in message
    assert warehouse.read("catalogue.items").equals(ITEMS)
    assert not warehouse.exists("catalogue.more")


def test_an_interruption_while_writing_changes_nothing(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS})

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("crossrec_pipeline.resources._select_list", interrupted)
        with pytest.raises(KeyboardInterrupt):
            warehouse.replace_tables({"catalogue.items": ITEMS.head(1)})
    assert warehouse.read("catalogue.items").equals(ITEMS)


@contextmanager
def files_no_larger_than(n_bytes: int) -> Iterator[None]:
    """Have the system refuse what is written beyond a size, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_the_disk_refuses_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS})
    size = Path(warehouse.path).stat().st_size
    with (
        files_no_larger_than(size + 200_000),
        pytest.raises(CrossrecError, match=r"Writing .*\.items.* failed; nothing was changed"),
    ):
        warehouse.replace_tables({"catalogue.large": LARGE, "catalogue.items": ITEMS.head(1)})
    assert warehouse.read("catalogue.items").equals(ITEMS)
    assert not warehouse.exists("catalogue.large")
    warehouse.replace_tables({"catalogue.large": LARGE})
    assert warehouse.read("catalogue.large").height == LARGE.height


def test_a_file_another_process_holds_is_refused_with_its_id(warehouse: Warehouse) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS})
    with (
        held_by_another_process(warehouse.path) as other,
        pytest.raises(CrossrecError, match=r"is open in another process\. Close it") as caught,
    ):
        warehouse.read("catalogue.items")
    assert warehouse.path in str(caught.value)
    assert str(other.pid) in str(caught.value)


def test_a_file_another_process_holds_for_a_while_is_waited_for(warehouse: Warehouse) -> None:
    warehouse.replace_tables({"catalogue.items": ITEMS})
    patient = Warehouse(path=warehouse.path, lock_timeout_seconds=20)
    with held_by_another_process(warehouse.path) as other:
        threading.Timer(0.3, release, [other]).start()
        assert patient.read("catalogue.items").equals(ITEMS)


def test_a_file_that_is_no_database_is_refused(warehouse: Warehouse) -> None:
    path = Path(warehouse.path)
    path.parent.mkdir()
    path.write_text("not a database " * 1_000)
    with pytest.raises(CrossrecError, match=f"The warehouse {path} cannot be opened"):
        warehouse.read("catalogue.items")
