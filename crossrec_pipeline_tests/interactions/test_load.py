import gzip
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import EventsError, SettingsError
from crossrec_pipeline.interactions.clean import REASONS
from crossrec_pipeline.interactions.load import load_log, log_fingerprint, log_version
from crossrec_pipeline.interactions.log import LogSummary
from crossrec_pipeline.interactions.log_files import MAX_LINE_BYTES
from crossrec_pipeline.interactions.schema import EVENTS, REJECTED_EVENTS

ITEMS = pl.DataFrame({"item_id": ["Movie_Creed III", "Music_5", "Book_Dune"]})
PREFIXES = {"Movie": "Movie_", "Music": "Music_", "Book": "Book_"}
NOW = datetime(2024, 1, 1, tzinfo=UTC)
HEADER = "user_id,item_id,timestamp\n"
GOOD = HEADER + "u1,Music_5,2023-01-02T10:00:00Z\nu1,Book_Dune,2023-01-02T10:01:00Z\n"


class Loaded:
    """A loaded log: its summary, and both outputs read back."""

    def __init__(self, directory: Path, summary: LogSummary) -> None:
        self.summary = summary
        self.events = pl.read_parquet(
            directory / "events" / "*" / "*.parquet", hive_partitioning=False
        ).sort("log_order")
        self.rejected = pl.read_parquet(directory / "rejected.parquet")


def load(location: Path | str, directory: Path, columns: Mapping[str, str] | None = None) -> Loaded:
    summary = load_log(
        location,
        ITEMS,
        columns or {},
        PREFIXES,
        directory / "events",
        directory / "rejected.parquet",
        NOW,
    )
    return Loaded(directory, summary)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


def write(tmp_path: Path, content: str | bytes, name: str = "log.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refuse(location: Path | str, out: Path, columns: Mapping[str, str] | None = None) -> str:
    """Load what must be refused, see that nothing was written, and return the message."""
    with pytest.raises(EventsError) as refused:
        load(location, out, columns)
    assert list(out.iterdir()) == []
    return str(refused.value)


# What is accepted


def test_columns_types_and_layout_are_those_of_the_contract(tmp_path: Path, out: Path):
    loaded = load(write(tmp_path, GOOD), out)
    assert loaded.events.schema == pl.Schema(EVENTS)
    assert loaded.rejected.schema == pl.Schema(REJECTED_EVENTS)
    assert [str(path.relative_to(out)) for path in sorted(out.rglob("*.parquet"))] == [
        "events/date=2023-01-02/part-0.parquet",
        "rejected.parquet",
    ]
    assert loaded.events.row(0) == (
        "u1",
        None,
        "Music_5",
        "clicked",
        datetime(2023, 1, 2, 10, tzinfo=UTC),
        1,
    )


def test_events_go_to_the_file_of_their_utc_day_in_order_of_time(tmp_path: Path, out: Path):
    rows = [
        "u1,Music_5,2023-01-03T00:00:00Z",
        "u1,Book_Dune,2023-01-03T01:30:00+02:00",
        "u2,Music_5,2023-01-02T08:00:00Z",
        "u3,Book_Dune,2023-01-02T08:00:00Z",
    ]
    load(write(tmp_path, HEADER + "\n".join(rows)), out)
    orders = {
        path.parent.name: pl.read_parquet(path, hive_partitioning=False)["log_order"].to_list()
        for path in (out / "events").rglob("*.parquet")
    }
    assert orders == {"date=2023-01-02": [3, 4, 2], "date=2023-01-03": [1]}


TSV = GOOD.replace(",", "\t")
JSONL = "".join(
    json.dumps(dict(zip(["user_id", "item_id", "timestamp"], line.split(","), strict=True))) + "\n"
    for line in GOOD.splitlines()[1:]
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv", GOOD.encode()),
        ("log.csv", GOOD.replace("\n", "\r\n").encode()),
        ("log.csv", b"\xef\xbb\xbf" + GOOD.encode()),
        ("log.tsv", TSV.encode()),
        ("log.jsonl", JSONL.encode()),
        ("log.csv.gz", gzip.compress(GOOD.encode())),
        ("log.jsonl.gz", gzip.compress(JSONL.encode())),
        ("log.csv", gzip.compress(GOOD.encode())),
    ],
    ids=["csv", "crlf", "bom", "tsv", "jsonl", "csv.gz", "jsonl.gz", "gzip without ending"],
)
def test_every_format_gives_the_same_events(tmp_path: Path, out: Path, name: str, content: bytes):
    loaded = load(write(tmp_path, content, name), out)
    assert loaded.events.select("user_id", "item_id", "timestamp").rows() == [
        ("u1", "Music_5", datetime(2023, 1, 2, 10, 0, tzinfo=UTC)),
        ("u1", "Book_Dune", datetime(2023, 1, 2, 10, 1, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([datetime(2023, 1, 2, 10, 0)]),
        pl.Series([datetime(2023, 1, 2, 10, 0)]).cast(pl.Datetime("ns")),
        pl.Series([datetime(2023, 1, 2, 10, 0)]).cast(pl.Datetime("ms")),
        pl.Series([datetime(2023, 1, 2, 10, 0)])
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("Asia/Tokyo"),
        pl.Series([1_672_653_600]),
        pl.Series([1_672_653_600], dtype=pl.UInt32),
        pl.Series([1_672_653_600.0]),
        pl.Series([1_672_653_600_000]),
        pl.Series([1_672_653_600_000_000]),
        pl.Series(["2023-01-02 10:00"]),
    ],
    ids=["us", "ns", "ms", "Tokyo", "s", "uint", "float", "epoch ms", "epoch us", "text"],
)
def test_parquet_times_of_every_kind_are_read(tmp_path: Path, out: Path, times: pl.Series):
    frame = pl.DataFrame({"user_id": [7], "item_id": ["Music_5"], "timestamp": times})
    frame.write_parquet(tmp_path / "log.parquet")
    events = load(tmp_path / "log.parquet", out).events
    assert events["timestamp"].to_list() == [datetime(2023, 1, 2, 10, tzinfo=UTC)]
    assert events["user_id"].to_list() == ["7"]


def test_dates_are_midnight(tmp_path: Path, out: Path):
    frame = pl.DataFrame(
        {"user_id": ["u"], "item_id": ["Music_5"], "timestamp": [date(2023, 1, 2)]}
    )
    frame.write_parquet(tmp_path / "log.parquet")
    events = load(tmp_path / "log.parquet", out).events
    assert events["timestamp"].to_list() == [datetime(2023, 1, 2, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-01-02", datetime(2023, 1, 2)),
        ("2023-01-02 03:04:05", datetime(2023, 1, 2, 3, 4, 5)),
        ("2023-01-02T03:04:05.123456", datetime(2023, 1, 2, 3, 4, 5, 123456)),
        ("2023-01-02T03:04:05+05:30", datetime(2023, 1, 1, 21, 34, 5)),
        ("2023-01-02T03:04:05Z", datetime(2023, 1, 2, 3, 4, 5)),
        ("1672628645", datetime(2023, 1, 2, 3, 4, 5)),
        ("1672628645.25", datetime(2023, 1, 2, 3, 4, 5, 250_000)),
        ("1672628645123", datetime(2023, 1, 2, 3, 4, 5, 123_000)),
        ("1672628645123456", datetime(2023, 1, 2, 3, 4, 5, 123456)),
        ("0", datetime(1970, 1, 1)),
    ],
)
def test_text_times_are_read(tmp_path: Path, out: Path, text: str, expected: datetime):
    events = load(write(tmp_path, f"{HEADER}u1,Music_5,{text}\n"), out).events
    assert events["timestamp"].to_list() == [expected.replace(tzinfo=UTC)]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    time=st.datetimes(datetime(1973, 4, 1), datetime(2023, 12, 31)),
    offset=st.integers(-14, 14),
    unit=st.sampled_from(["iso", "s", "ms", "us"]),
)
def test_any_time_survives_its_notation(tmp_path: Path, time: datetime, offset: int, unit: str):
    aware = time.replace(tzinfo=UTC)
    us = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    divisor = {"iso": 1, "s": 1_000_000, "ms": 1_000, "us": 1}[unit]
    local = aware.astimezone(timezone(timedelta(hours=offset))).isoformat()
    text = local if unit == "iso" else str(us // divisor)
    events = load(write(tmp_path, f"{HEADER}u1,Music_5,{text}\n"), tmp_path / "out").events
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us // divisor * divisor)
    assert events["timestamp"].to_list() == [expected]


def test_columns_are_mapped_by_setting(tmp_path: Path, out: Path):
    log = write(tmp_path, "who,visit,what,how,when\nu1,s1,Music_5,searched,2023-01-02\n")
    columns = {
        "user_id": "who",
        "session_id": "visit",
        "item_id": "what",
        "event_type": "how",
        "timestamp": "when",
    }
    event = load(log, out, columns).events.row(0, named=True)
    assert {name: event[name] for name in ("user_id", "session_id", "item_id", "event_type")} == {
        "user_id": "u1",
        "session_id": "s1",
        "item_id": "Music_5",
        "event_type": "searched",
    }


@pytest.mark.parametrize("written", ["Movie", "movie", "MOVIES", " Movies "])
def test_item_type_brings_the_prefix(tmp_path: Path, out: Path, written: str):
    log = write(
        tmp_path,
        "user_id,item_id,kind,timestamp\n"
        f"u1,Creed III,{written},2023-01-02\n"
        f"u2,Movie_Creed III,{written},2023-01-02\n"
        "u3,Music_5,,2023-01-02\n"
        "u4,5,music,2023-01-02\n"
        "u5,Dune,books,2023-01-02\n",
    )
    events = load(log, out, {"item_type": "kind"}).events
    assert events["item_id"].to_list() == [
        "Movie_Creed III",
        "Movie_Creed III",
        "Music_5",
        "Music_5",
        "Book_Dune",
    ]


def test_files_of_a_glob_are_read_in_the_order_of_their_paths(tmp_path: Path, out: Path):
    write(tmp_path, HEADER + "u2,Book_Dune,2023-01-01\n", "b.csv")
    write(tmp_path, HEADER + "u1,Music_5,2023-01-02\n", "a.csv")
    loaded = load(str(tmp_path / "*.csv"), out)
    assert loaded.events.select("log_order", "user_id").rows() == [(1, "u1"), (2, "u2")]


def test_quoted_cells_may_hold_delimiters_and_line_ends(tmp_path: Path, out: Path):
    log = write(
        tmp_path,
        'user_id,note,item_id,timestamp\nu1,"a, ""b""\nc",Music_5,2023-01-02\n'
        "u2,,Book_Dune,2023-01-02\n",
    )
    assert load(log, out).events["user_id"].to_list() == ["u1", "u2"]


def test_json_lines_may_lack_optional_keys(tmp_path: Path, out: Path):
    log = write(
        tmp_path,
        '{"user_id": 1, "item_id": "Music_5", "timestamp": 1672628645}\n\n'
        '{"session_id": "s", "item_id": "Book_Dune", "timestamp": "2023-01-02", "x": {"y": 1}}\n',
        "log.jsonl",
    )
    events = load(log, out).events
    assert events.select("user_id", "session_id").rows() == [("1", None), (None, "s")]


def test_loading_again_gives_the_same_digest_and_another_order_another(tmp_path: Path, out: Path):
    first = load(write(tmp_path, GOOD), out).summary
    assert load(write(tmp_path, GOOD), out).summary == first
    header, one, two = GOOD.splitlines()
    swapped = write(tmp_path, "\n".join([header, two, one]))
    assert load(swapped, out).summary.data_digest != first.data_digest


# What is rejected

BAD_ROWS = [
    ("u1,Music_5,2023-01-02T00:00:00Z", None),
    ("u1,Music_5,2023-01-02T00:00:00Z", "duplicate"),
    ("u1,Music_5,1672617600", "duplicate"),
    ("u2,Music_5,2023-01-02T00:00:00Z", None),
    ("u1,Book_Dune,2023-01-02T00:00:00Z", None),
    ("u1,Movie_Nope,2023-01-02", "unknown_item"),
    ("u1,,2023-01-02", "no_item"),
    ("u1,  ,2023-01-02", "no_item"),
    ("u1,Music_5,", "no_timestamp"),
    ("u1,Music_5,soon", "unparseable_timestamp"),
    ("u1,Music_5,2023-02-30", "unparseable_timestamp"),
    ("u1,Music_5,infinity", "unparseable_timestamp"),
    ("u1,Music_5,123456789012345678", "unparseable_timestamp"),
    ("u1,Music_5,9999-12-31", "from_future"),
    ("u1,Music_5,2024-01-02T00:00:00Z", None),
    ("u1,Music_5,2024-01-02T00:00:01Z", "from_future"),
    (",Music_5,2023-01-02", "no_user_or_session"),
]


def test_each_refused_event_has_its_reason(tmp_path: Path, out: Path):
    loaded = load(write(tmp_path, HEADER + "\n".join(row for row, _ in BAD_ROWS)), out)
    expected = {order: reason for order, (_, reason) in enumerate(BAD_ROWS, start=1)}
    refused = dict(loaded.rejected.select("log_order", "reason").rows())
    assert refused == {order: reason for order, reason in expected.items() if reason}
    assert loaded.rejected["log_order"].is_sorted()
    assert set(loaded.summary.n_rejected) == set(REASONS)


def test_in_is_accepted_and_rejected(tmp_path: Path, out: Path):
    loaded = load(write(tmp_path, HEADER + "\n".join(row for row, _ in BAD_ROWS)), out)
    summary = loaded.summary
    assert summary.n_in == len(BAD_ROWS)
    assert summary.n_in == loaded.events.height + loaded.rejected.height
    assert summary.n_accepted == loaded.events.height
    assert sum(summary.n_rejected.values()) == loaded.rejected.height
    assert summary.first == datetime(2023, 1, 2, tzinfo=UTC)
    assert summary.last == datetime(2024, 1, 2, tzinfo=UTC)


def test_same_event_in_another_session_is_no_duplicate(tmp_path: Path, out: Path):
    log = write(
        tmp_path,
        "session_id,item_id,event_type,timestamp\n"
        "s1,Music_5,clicked,2023-01-02\ns2,Music_5,clicked,2023-01-02\n"
        "s2,Music_5,searched,2023-01-02\ns2,Music_5,,2023-01-02\n",
    )
    loaded = load(log, out)
    assert loaded.summary.n_rejected == {"duplicate": 1}
    assert loaded.rejected["log_order"].to_list() == [4]


# What is refused as a whole


def test_missing_file(tmp_path: Path, out: Path):
    assert "log.csv does not exist" in refuse(tmp_path / "log.csv", out)


def test_glob_without_a_match(tmp_path: Path, out: Path):
    assert "*.csv matches no file" in refuse(tmp_path / "*.csv", out)


def test_directory(tmp_path: Path, out: Path):
    (tmp_path / "log").mkdir()
    assert "is a directory" in refuse(tmp_path / "log", out)


def test_unknown_format(tmp_path: Path, out: Path):
    assert "no ending that says its format" in refuse(write(tmp_path, GOOD, "log.xlsx"), out)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet", "log.csv.gz"])
def test_empty_file(tmp_path: Path, out: Path, name: str):
    message = refuse(write(tmp_path, b"", name), out)
    assert f"{name} is empty" in message


def test_file_of_blank_lines(tmp_path: Path, out: Path):
    assert "log.csv is empty" in refuse(write(tmp_path, "\n \n"), out)


def test_header_only(tmp_path: Path, out: Path):
    assert "has a header but no events" in refuse(write(tmp_path, HEADER), out)


def test_missing_column_is_named_with_those_found(tmp_path: Path, out: Path):
    message = refuse(write(tmp_path, "user_id,asin,timestamp\nu1,x,2023-01-01\n"), out)
    assert "no column 'item_id'" in message
    assert "'user_id', 'asin', 'timestamp'" in message
    assert "CROSSREC_EVENT_COLUMNS__ITEM_ID=<column>" in message


def test_missing_mapped_column(tmp_path: Path, out: Path):
    message = refuse(write(tmp_path, GOOD), out, {"event_type": "how"})
    assert "no column 'how' (for event_type)" in message
    assert "CROSSREC_EVENT_COLUMNS__EVENT_TYPE" in message


def test_neither_user_nor_session(tmp_path: Path, out: Path):
    message = refuse(write(tmp_path, "item_id,timestamp\nMusic_5,2023-01-01\n"), out)
    assert "no column 'user_id' or 'session_id'" in message


@pytest.mark.parametrize(("name", "found"), [("log.csv", ";"), ("log.csv", "\t"), ("log.tsv", ",")])
def test_wrong_delimiter(tmp_path: Path, out: Path, name: str, found: str):
    message = refuse(write(tmp_path, GOOD.replace(",", found), name), out)
    assert f"seems to be delimited by {found!r}" in message


def test_column_twice(tmp_path: Path, out: Path):
    log = write(tmp_path, "user_id,item_id,item_id,timestamp\nu1,a,b,2023-01-01\n")
    assert "2 columns named 'item_id'" in refuse(log, out)


def test_mapping_of_a_column_that_is_not_ours(tmp_path: Path, out: Path):
    with pytest.raises(SettingsError, match="CROSSREC_EVENT_COLUMNS__ITEM: there is no column"):
        load(write(tmp_path, GOOD), out, {"item": "asin"})


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_bytes_that_are_not_utf8_are_named_by_line(tmp_path: Path, out: Path, compress: type):
    log = write(tmp_path, compress(GOOD.encode() + "u1,Café,2023-01-01\n".encode("latin-1")))
    message = refuse(log, out)
    assert "log.csv, line 4: byte 0xe9 is not UTF-8" in message


def test_nul_byte_is_named_by_line(tmp_path: Path, out: Path):
    message = refuse(write(tmp_path, GOOD + "u1,Mus\0ic_5,2023-01-01\n"), out)
    assert "log.csv, line 4: a NUL byte" in message


@pytest.mark.parametrize("line_end", ["", "\n"], ids=["one line", "of many lines"])
def test_cell_of_ten_megabytes(tmp_path: Path, out: Path, line_end: str):
    cell = ("x" * 99 + (line_end or "x")) * 100_000
    message = refuse(write(tmp_path, f'{GOOD}u1,"{cell}",2023-01-01\n'), out)
    assert "log.csv, line 4" in message
    assert len(message) < 400


def test_longest_line_that_is_allowed(tmp_path: Path, out: Path):
    rest = "u1,,2023-01-01"
    log = write(tmp_path, f"{GOOD}u1,{'x' * (MAX_LINE_BYTES - len(rest))},2023-01-01\n")
    assert load(log, out).summary.n_rejected == {"unknown_item": 1}


@pytest.mark.parametrize(
    ("row", "problem"),
    [("u1,Music_5", "has 2 fields"), ("u1,Music_5,2023-01-01,x", "has 4 fields")],
)
def test_row_of_another_width(tmp_path: Path, out: Path, row: str, problem: str):
    message = refuse(write(tmp_path, f"{GOOD}{row}\n"), out)
    assert f"log.csv, line 4 {problem}, the header has 3" in message


@pytest.mark.parametrize("line", ['{"user_id": "u1"', "[1, 2]", "u1,Music_5"])
@pytest.mark.parametrize("n_before", [1, 150], ids=["near the start", "later"])
def test_line_that_is_no_json_object(tmp_path: Path, out: Path, line: str, n_before: int):
    before = JSONL.splitlines()[0] + "\n"
    message = refuse(write(tmp_path, before * n_before + line + "\n", "log.jsonl"), out)
    assert f"log.jsonl, line {n_before + 1} is not a JSON object" in message


@pytest.mark.parametrize("name", ["log.csv.gz", "log.parquet"])
def test_file_that_was_cut_off(tmp_path: Path, out: Path, name: str):
    if name.endswith("gz"):
        content = gzip.compress((GOOD * 50).encode())[:-20]
    else:
        pl.DataFrame({"user_id": ["u1"]}).write_parquet(tmp_path / name)
        content = (tmp_path / name).read_bytes()[:-20]
    assert f"{name} is not a whole" in refuse(write(tmp_path, content, name), out)


def test_time_column_that_holds_no_times(tmp_path: Path, out: Path):
    message = refuse(
        write(tmp_path, "user_id,item_id,when\nu1,Music_5,red\nu1,Music_5,blue\n"),
        out,
        {"timestamp": "when"},
    )
    assert "no value of column 'when' can be read as a time; the first is 'red' (row 1)" in message
    assert "CROSSREC_EVENT_COLUMNS__TIMESTAMP" in message


def test_parquet_time_column_of_a_wrong_type(tmp_path: Path, out: Path):
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["Music_5"], "timestamp": [True]})
    frame.write_parquet(tmp_path / "log.parquet")
    assert "can be read as a time" in refuse(tmp_path / "log.parquet", out)


def test_no_event_that_can_be_used(tmp_path: Path, out: Path):
    log = write(tmp_path, HEADER + "u1,Creed III,2023-01-01\nu1,,2023-01-01\nu1,Music_5,\n")
    message = refuse(log, out)
    assert "none of its 3 events can be used" in message
    assert "no_item 1, unknown_item 1, no_timestamp 1" in message
    assert "'Creed III'" in message


def test_one_session_of_two_users(tmp_path: Path, out: Path):
    log = write(
        tmp_path,
        "user_id,session_id,item_id,timestamp\n"
        "u1,s1,Music_5,2023-01-01\nu2,s7,Music_5,2023-01-01\nu3,s7,Book_Dune,2023-01-02\n",
    )
    message = refuse(log, out)
    assert "session_id 's7' is used by two users, 'u2' and 'u3'" in message


def test_refusal_leaves_the_last_good_log(tmp_path: Path, out: Path):
    load(write(tmp_path, GOOD), out)
    with pytest.raises(EventsError):
        load(write(tmp_path, HEADER + "u1,Nope,2023-01-01\n"), out)
    assert pl.read_parquet(out / "events" / "*" / "*.parquet").height == 2
    assert sorted(path.name for path in out.iterdir()) == ["events", "rejected.parquet"]


# Versions of a delivery


def test_version_follows_content_and_fingerprint_follows_the_file(tmp_path: Path):
    log = write(tmp_path, GOOD)
    version, fingerprint = log_version(log), log_fingerprint(log)
    assert (log_version(str(log)), log_fingerprint(str(log))) == (version, fingerprint)
    write(tmp_path, GOOD + "u1,Music_5,2023-01-05\n")
    assert log_version(log) != version
    assert log_fingerprint(log) != fingerprint


def test_version_of_a_missing_log(tmp_path: Path):
    with pytest.raises(EventsError, match="does not exist"):
        log_version(tmp_path / "log.csv")
