import gzip
import json
import os
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline import parsers
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.domains import BOOKS, MOVIES, MUSIC, DomainSpec, Reject, SourceColumn
from crossrec_pipeline.errors import SourceError
from crossrec_pipeline.settings import Settings

PLACES = DomainSpec(
    name="places",
    item_type="Place",
    natural_key=("name",),
    id_column="name",
    columns=(
        SourceColumn("row", parsers.integer, aliases=("",), row_number=True),
        SourceColumn(
            "name",
            parsers.text,
            required=True,
            aliases=("place",),
            becomes="title",
            missing=Reject("missing_title"),
        ),
        SourceColumn("tags", parsers.comma_list, becomes="genres"),
        SourceColumn("visitors", parsers.number, required=True, becomes="raw_popularity"),
        SourceColumn("open", parsers.boolean),
        SourceColumn("opened", parsers.date, becomes="release_date"),
    ),
)
HEADER = "name,tags,visitors,open,opened\n"


@pytest.fixture
def reader(tmp_path: Path) -> SourceReader:
    return SourceReader(sample_dir=tmp_path)


def put(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def refusal(reader: SourceReader, location: str) -> str:
    with pytest.raises(SourceError) as caught:
        reader.load(PLACES, location)
    return str(caught.value)


def rows(reader: SourceReader, location: str) -> list[tuple]:
    frame = reader.load(PLACES, location).frame
    return frame.select("name", "tags", "visitors", "open", "opened").rows()


# What is read ------------------------------------------------------------------------------------


def test_every_declared_column_is_text_as_delivered(reader: SourceReader, tmp_path: Path):
    location = put(tmp_path / "a.csv", HEADER + 'Rome ,"a, b","5,000",True,01/02/2000 \nX,,,,\n')
    raw = reader.load(PLACES, location)
    assert raw.frame.rows(named=True) == [
        {
            "row": None,
            "name": "Rome ",
            "tags": "a, b",
            "visitors": "5,000",
            "open": "True",
            "opened": "01/02/2000 ",
            "source": "places:a.csv",
            "source_row": 1,
        },
        {
            "row": None,
            "name": "X",
            "tags": None,
            "visitors": None,
            "open": None,
            "opened": None,
            "source": "places:a.csv",
            "source_row": 2,
        },
    ]
    assert raw.n_rows == 2
    assert raw.files == (location,)
    assert raw.missing_columns == ("row",)


def test_header_names_are_trimmed_and_a_byte_order_mark_is_no_part_of_them(
    reader: SourceReader, tmp_path: Path
):
    location = put(tmp_path / "a.csv", "\ufeffname , visitors\nRome,1\n")
    assert rows(reader, location) == [("Rome", None, "1", None, None)]


def test_aliases_stand_for_the_canonical_names(reader: SourceReader, tmp_path: Path):
    location = put(tmp_path / "a.csv", ",place,visitors\n7,Rome,1\n")
    frame = reader.load(PLACES, location).frame
    assert frame.select("row", "name").rows() == [("7", "Rome")]


def test_the_canonical_name_wins_over_an_alias(reader: SourceReader, tmp_path: Path):
    location = put(tmp_path / "a.csv", "place,name,visitors\nwrong,Rome,1\n")
    assert rows(reader, location)[0][0] == "Rome"


def test_columns_nobody_declared_are_left_out(reader: SourceReader, tmp_path: Path):
    location = put(tmp_path / "a.csv", "name,visitors,secret,,\nRome,1,x,,\n")
    assert "secret" not in reader.load(PLACES, location).frame.columns


def test_quoted_line_breaks_quotes_and_blank_lines(reader: SourceReader, tmp_path: Path):
    location = put(
        tmp_path / "a.csv",
        'name,visitors\r\n"two\r\nlines",1\r\n\r\n"a ""b""",2\r\n5" disc,3\r\n\r\n',
    )
    assert [name for name, *_ in rows(reader, location)] == ["two\r\nlines", 'a "b"', '5" disc']


def test_rows_are_kept_across_batches(
    reader: SourceReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("crossrec_pipeline.catalogue.read_csv._ROWS_AT_ONCE", 3)
    location = put(tmp_path / "a.csv", "name,visitors\n" + "".join(f"n{i},1\n" for i in range(9)))
    frame = reader.load(PLACES, location).frame
    assert frame["name"].to_list() == [f"n{i}" for i in range(9)]
    assert frame["source_row"].to_list() == list(range(1, 10))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "A.TSV.GZ"])
def test_separated_text_by_extension(reader: SourceReader, tmp_path: Path, name: str):
    text = "name\tvisitors\nRome\t1\n" if "tsv" in name.lower() else "name,visitors\nRome,1\n"
    data = gzip.compress(text.encode()) if name.lower().endswith("gz") else text.encode()
    assert rows(reader, put(tmp_path / name, data)) == [("Rome", None, "1", None, None)]


TYPED = {"name": "Rome", "tags": ["it's", "a\\b"], "visitors": 1.5, "open": True}


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz", "a.json"])
def test_json_cells_become_text(reader: SourceReader, tmp_path: Path, name: str):
    text = json.dumps(TYPED) + '\n\n{"visitors": 123456789012345678901, "name": null}\n'
    if name == "a.json":
        text = "[" + text.strip().replace("\n\n", ",") + "]"
    data = gzip.compress(text.encode()) if name.endswith("gz") else text.encode()
    assert rows(reader, put(tmp_path / name, data)) == [
        ("Rome", r"['it\'s', 'a\\b']", "1.5", "True", None),
        (None, None, "123456789012345678901", None, None),
    ]


def test_parquet_cells_become_text(reader: SourceReader, tmp_path: Path):
    path = tmp_path / "a.parquet"
    typed = pl.DataFrame([TYPED, {"visitors": float("nan")}], schema_overrides={"open": pl.Boolean})
    typed.with_columns(pl.date(2000, 1, 2).alias("opened")).write_parquet(path)
    assert rows(reader, str(path)) == [
        ("Rome", r"['it\'s', 'a\\b']", "1.5", "true", "2000-01-02"),
        (None, None, None, None, "2000-01-02"),
    ]


def test_lists_delivered_as_lists_can_be_parsed_again(reader: SourceReader, tmp_path: Path):
    path = tmp_path / "a.parquet"
    pl.DataFrame([TYPED]).write_parquet(path)
    frame = reader.load(PLACES, str(path)).frame
    assert frame.select(parsers.comma_list(pl.col("tags"))).item().to_list() == ["it's", "a\\b"]


def test_the_files_of_a_glob_are_read_one_after_the_other(reader: SourceReader, tmp_path: Path):
    put(tmp_path / "b.jsonl", '{"name": "B", "visitors": 2, "tags": "x"}')
    put(tmp_path / "a.csv", "name,visitors\nA,1\nA2,1\n")
    put(tmp_path / "sub.d" / "c.csv", "not read")
    raw = reader.load(PLACES, str(tmp_path / "[ab].*"))
    assert raw.frame.select("name", "source", "source_row").rows() == [
        ("A", "places:a.csv", 1),
        ("A2", "places:a.csv", 2),
        ("B", "places:b.jsonl", 1),
    ]
    assert raw.missing_columns == ("row", "tags", "open", "opened")


def test_files_of_one_name_are_told_apart_by_their_folder(reader: SourceReader, tmp_path: Path):
    for folder in ("x", "y"):
        put(tmp_path / folder / "a.csv", f"name,visitors\n{folder},1\n")
    frame = reader.load(PLACES, str(tmp_path / "**" / "*.csv")).frame
    assert frame["source"].to_list() == ["places:x/a.csv", "places:y/a.csv"]


def test_a_file_whose_name_looks_like_a_glob_is_read(reader: SourceReader, tmp_path: Path):
    assert rows(reader, put(tmp_path / "a[1].csv", "name,visitors\nRome,1\n"))[0][0] == "Rome"


def test_unparseable_cells_are_counted(reader: SourceReader, tmp_path: Path):
    location = put(tmp_path / "a.csv", HEADER + "A,,many,yes,\nB,,few,1,01/01/2000\nC, ,3,0,\n")
    assert reader.load(PLACES, location).unparseable == {"visitors": 2, "open": 1}


# Locations and versions --------------------------------------------------------------------------


def test_sample_is_the_file_named_for_the_domain(reader: SourceReader, tmp_path: Path):
    put(tmp_path / "places.csv", "name,visitors\nRome,1\n")
    assert rows(reader, "sample")[0][0] == "Rome"


@pytest.mark.parametrize("spec", [MOVIES, MUSIC, BOOKS])
def test_the_committed_samples_load_whole(spec: DomainSpec):
    raw = SourceReader.from_settings(Settings()).load(spec, "sample")
    assert raw.n_rows > 100
    assert raw.missing_columns == ()


def test_the_version_is_of_the_content_not_of_time_or_folder(reader: SourceReader, tmp_path: Path):
    one = put(tmp_path / "x" / "a.csv", "name,visitors\nRome,1\n")
    two = put(tmp_path / "y" / "a.csv", "name,visitors\nRome,1\n")
    other = put(tmp_path / "z" / "a.csv", "name,visitors\nRome,2\n")
    os.utime(two, (1, 1))
    assert reader.version(PLACES, one) == reader.version(PLACES, two)
    assert reader.version(PLACES, one) != reader.version(PLACES, other)
    assert reader.load(PLACES, one).version == reader.version(PLACES, one)


def test_the_fingerprint_changes_with_time_or_size(reader: SourceReader, tmp_path: Path):
    location = put(tmp_path / "a.csv", "name,visitors\nRome,1\n")
    seen = [reader.fingerprint(PLACES, location)]
    assert reader.fingerprint(PLACES, location) == seen[0]
    os.utime(location, (1, 1))
    seen.append(reader.fingerprint(PLACES, location))
    put(tmp_path / "a.csv", "name,visitors\nRome,11\n")
    os.utime(location, (1, 1))
    seen.append(reader.fingerprint(PLACES, location))
    assert len(set(seen)) == 3


def test_a_file_that_changes_while_it_is_read_is_refused(
    reader: SourceReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    location = put(tmp_path / "a.csv", "name,visitors\nRome,1\n")
    looks = iter(["before", "after"])
    monkeypatch.setattr(SourceReader, "fingerprint", lambda *_: next(looks))
    assert "changed while it was read" in refusal(reader, location)


# What is refused, each with one message ----------------------------------------------------------


def test_a_missing_file(reader: SourceReader, tmp_path: Path):
    message = refusal(reader, str(tmp_path / "no.csv"))
    assert message.startswith(f"places: there is no file {tmp_path / 'no.csv'}")
    assert "Correct CROSSREC_SOURCES__PLACES" in message


def test_a_glob_without_a_match(reader: SourceReader, tmp_path: Path):
    assert "matches no file" in refusal(reader, str(tmp_path / "*.csv"))


def test_a_directory(reader: SourceReader, tmp_path: Path):
    message = refusal(reader, str(tmp_path))
    assert "is a directory" in message
    assert str(tmp_path / "*.csv") in message


def test_an_unknown_extension(reader: SourceReader, tmp_path: Path):
    message = refusal(reader, put(tmp_path / "a.xlsx", "x"))
    assert "unknown file type '.xlsx'" in message
    assert ".parquet" in message


HEADER_ONLY = "a header and no rows"
BAD_FILES = {
    "empty": ("a.csv", "", "the file is empty"),
    "blank": ("a.csv", "\n \n", "the file is empty"),
    "empty parquet": ("a.parquet", "", "the file is empty"),
    "empty gzip": ("a.csv.gz", gzip.compress(b""), "the file is empty"),
    "header only": ("a.csv", HEADER, HEADER_ONLY),
    "empty array": ("a.json", "[]", HEADER_ONLY),
    "semicolons": (
        "a.csv",
        HEADER.replace(",", ";") + "Rome;a, b;1;1;\n",
        "looks ';'-separated, but comma is expected",
    ),
    "tabs": ("a.csv", HEADER.replace(",", "\t") + "Rome\ta\t1\t1\t\n", "looks tab-separated"),
    "bars": ("a.csv", "name|visitors\nRome|1\n", "looks '|'-separated"),
    "commas in a tsv": ("a.tsv", HEADER + "Rome,a,1,1,\n", "looks comma-separated, but tab"),
    "latin-1": (
        "a.csv",
        "name,visitors\nRome,1\nZürich,1\n".encode("latin-1"),
        "line 3 (byte 22) is not UTF-8. Save the file as UTF-8.",
    ),
    "utf-16": ("a.csv", HEADER.encode("utf-16"), "line 1 (byte 0) is not UTF-8"),
    "NUL": ("a.csv", "name,visitors\nRome,1\nPa\0ris,1\n", "line 3 holds a NUL byte"),
    "NUL in JSON": (
        "a.jsonl",
        '{"name": "Rome", "visitors": 1}\n{"name": "P\\u0000", "visitors": 1}',
        "column 'name', row 2 holds a NUL character",
    ),
    "short row": (
        "a.csv",
        'name,visitors\n"Ro\nme",1\nParis\nOslo,1\n',
        "row 2 (line 4) has 1 fields, the header has 2",
    ),
    "long row": ("a.csv", "name,visitors\nRome,1\nParis,1,2\n", "row 2 (line 3) has 3 fields"),
    "open quote": (
        "a.csv",
        'name,visitors\nRome,1\nParis,"1\nOslo,1\n',
        "row 2 (line 3): a quoted cell is never closed",
    ),
    "open quote in the header": ("a.csv", 'name,"visitors\nRome,1\n', "the header: a quoted"),
    "text after a quote": (
        "a.csv",
        'name,visitors\n"Ro"me,1\n',
        "row 1 (line 2): the quoting is wrong",
    ),
    "long cell": (
        "a.csv",
        "name,visitors\nRome,1\n" + "x" * 10_000_000 + ",1\n",
        "column 'name', row 2 has 10,000,000 characters, more than 1,000,000",
    ),
    "duplicate names": (
        "a.csv",
        "name,visitors,name\nRome,1,Roma\n",
        "the header names ['name'] more than once",
    ),
    "duplicate names when trimmed": (
        "a.jsonl",
        '{"name": "Rome", "name ": "Roma", "visitors": 1}',
        "columns ['name'] occur twice",
    ),
    "broken gzip": ("a.csv.gz", gzip.compress(b"name" * 999)[:-9], "is no whole gzip file"),
    "no gzip": ("a.csv.gz", "name,visitors\nRome,1\n", "is no whole gzip file"),
    "broken parquet": ("a.parquet", "PAR1 and nothing more", "is no whole Parquet file"),
    "broken JSON": ("a.jsonl", '{"name": "Rome"}\n{"name": ', "line 2 is not JSON"),
    "JSON of no objects": ("a.jsonl", '{"name": "Rome"}\n["Paris"]\n', "line 2 is no object"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file(
    reader: SourceReader, tmp_path: Path, name: str, content: str | bytes, message: str
):
    location = put(tmp_path / name, content)
    found = refusal(reader, location)
    assert found.startswith(f"places: {location}")
    assert message in found
    assert found.endswith(".")
    assert "\n" not in found


def test_a_missing_required_column_names_those_found_and_the_nearest(
    reader: SourceReader, tmp_path: Path
):
    message = refusal(reader, put(tmp_path / "a.csv", "name,Visitor,x\nRome,1,2\n"))
    assert "required column 'visitors' is missing" in message
    assert "found ['name', 'Visitor', 'x']" in message
    assert "Did you mean it by 'Visitor'?" in message


def test_a_missing_required_column_with_aliases(reader: SourceReader, tmp_path: Path):
    message = refusal(reader, put(tmp_path / "a.csv", "x,visitors\nRome,1\n"))
    assert "required column 'name' (or 'place') is missing" in message
    assert "Did you mean" not in message


def test_a_column_of_the_wrong_type(reader: SourceReader, tmp_path: Path):
    good, bad = "A,1,01/01/2000\n" * 5, "B,1,spring\n" * 5
    text = "name,visitors,opened\n" + good + bad + "C,1,\n" * 50
    message = refusal(reader, put(tmp_path / "a.csv", text))
    assert "column 'opened' has the wrong type: 5 of 10 cells" in message
    assert "the first being 'spring' in row 6 of a.csv" in message


def test_a_few_unparseable_cells_are_no_wrong_type(reader: SourceReader, tmp_path: Path):
    few = "name,visitors\n" + "A,x\n" * 9
    assert reader.load(PLACES, put(tmp_path / "a.csv", few)).unparseable == {"visitors": 9}
    under_half = "name,visitors\n" + "A,x\n" * 9 + "A,1\n" * 10
    assert reader.load(PLACES, put(tmp_path / "b.csv", under_half)).n_rows == 19


def test_a_parquet_column_that_has_no_text(reader: SourceReader, tmp_path: Path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"name": [b"\xff\xfe"], "visitors": [1]}).write_parquet(path)
    assert "column 'name' of type Binary cannot be read as text" in refusal(reader, str(path))


def test_one_bad_file_of_a_glob_is_named(reader: SourceReader, tmp_path: Path):
    put(tmp_path / "a.csv", "name,visitors\nRome,1\n")
    put(tmp_path / "b.csv", "name\nRome\n")
    message = refusal(reader, str(tmp_path / "*.csv"))
    assert message.startswith(f"places: {tmp_path / 'b.csv'}")
