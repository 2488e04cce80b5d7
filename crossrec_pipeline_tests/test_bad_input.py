"""What goes wrong with a user's files, met by a whole run: one clear message, nothing published.

Every way in which a file can be wrong is tested beside its reader; here each kind of it goes
through the pipeline once, on top of a good build.
"""

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.domains import MOVIES
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline_tests.built_world import BuiltWorld, Published, built_world
from crossrec_pipeline_tests.lineage_world import ROWS, Row, a_third_of_the_rows_lost, as_is

pytestmark = pytest.mark.xdist_group("built")

LONG = "x" * 10_000_000
MONDAY = datetime(2023, 1, 2, tzinfo=UTC)
HEADER = ("user_id", "session_id", "item_id", "timestamp")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


@pytest.fixture(scope="module")
def before(world: BuiltWorld) -> Published:
    return world.published()


def refusal(world: BuiltWorld, **changes: object) -> str:
    with pytest.raises(CrossrecError) as caught:
        world.rebuild(**changes)
    assert world.leftovers() == []
    return str(caught.value)


# Catalogues


def columns(change: Callable[[Row], Row]) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [change(row) for row in rows]


def without(name: str) -> Callable[[Row], Row]:
    return lambda row: {key: cell for key, cell in row.items() if key != name}


def cell(row_number: int, name: str, value: str) -> Callable[[list[Row]], list[Row]]:
    def change(rows: list[Row]) -> list[Row]:
        rows[row_number - 1][name] = value
        return rows

    return change


def deliver(world: BuiltWorld, change: Callable[[list[Row]], list[Row]]) -> None:
    """Write the catalogue of movies, changed rows under a header that fits them."""
    rows = change([dict(row) for row in world.delivered["movies"]])
    with world.files["movies"].open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0] if rows else world.delivered["movies"][0]))
        writer.writeheader()
        writer.writerows(rows)


BAD_ROWS: dict[str, tuple[Callable[[list[Row]], list[Row]], str]] = {
    "required column missing": (
        columns(without("score")),
        r"the required column 'score' is missing; found \['names'.* Rename or add the column",
    ),
    "column of the wrong type": (
        columns(lambda row: {**row, "score": "high"}),
        "column 'score' has the wrong type: 250 of 250 cells .* 'high' in row 1 of movies.csv",
    ),
    "cell of ten megabytes": (
        cell(7, "overview", LONG),
        "column 'overview', row 7 has 10,000,000 characters, .* Correct the row",
    ),
    "header only": (lambda rows: [], "a header and no rows. Deliver the file again"),
    "rows lost": (
        a_third_of_the_rows_lost,
        "^catalogue/staged_items: size: the check failed on what is listed above",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_catalogue_with_bad_rows_is_refused(
    world: BuiltWorld,
    before: Published,
    change: Callable[[list[Row]], list[Row]],
    message: str,
):
    deliver(world, change)
    assert re.search(message, refusal(world))
    assert world.published().equals(before)


BAD_BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty file": (lambda _: b"", "the file is empty. Deliver it again"),
    "wrong delimiter": (
        lambda content: content.replace(b",", b";"),
        "looks ';'-separated, but comma is expected .* Save it comma-separated",
    ),
    "not UTF-8": (
        lambda content: content.replace(b"Creed", "Créed".encode("latin-1"), 1),
        r"line 2 \(byte \d+\) is not UTF-8. Save the file as UTF-8",
    ),
    "NUL byte": (
        lambda content: content.replace(b"Creed", b"Cr\0ed", 1),
        "line 2 holds a NUL byte; .* Deliver it again",
    ),
}


@pytest.mark.parametrize(("damage", "message"), BAD_BYTES.values(), ids=BAD_BYTES)
def test_a_damaged_catalogue_is_refused(
    world: BuiltWorld, before: Published, damage: Callable[[bytes], bytes], message: str
):
    world.deliver("movies", as_is)
    path = world.files["movies"]
    path.write_bytes(damage(path.read_bytes()))
    assert re.search(f"^catalogue/raw_movies: movies: {path}: .*{message}", refusal(world))
    assert world.published().equals(before)


def test_a_missing_catalogue_is_refused(world: BuiltWorld, before: Published):
    world.files["movies"].unlink()
    assert f"movies: there is no file {world.files['movies']}" in refusal(world)
    assert world.published().equals(before)


# Logs


Events = list[tuple[str, str, str, str]]


def write_log(world: BuiltWorld, rows: Events) -> str:
    path = world.files["movies"].with_name("log.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return str(path)


def good_events(world: BuiltWorld, n_sessions: int = 300) -> Events:
    """Make sessions of four events, an hour apart, over forty items of both types."""
    item_ids = world.items()["item_id"].gather_every(12).to_list()
    return [
        (
            f"u{session % 50}",
            f"s{session}",
            item_ids[(session + step) % len(item_ids)],
            (MONDAY + timedelta(hours=session, minutes=step)).isoformat(),
        )
        for session in range(n_sessions)
        for step in range(4)
    ]


BAD_EVENTS: dict[str, tuple[Callable[[Events], Events], str]] = {
    "header only": (lambda _: [], r"log\.csv has a header but no events"),
    "times that are none": (
        lambda events: [(user, session, item, "soon") for user, session, item, _ in events],
        r"no value of column 'timestamp' can be read as a time; the first is 'soon' \(row 1\)",
    ),
    "cell of ten megabytes": (
        lambda events: [events[0], ("u1", "s1", LONG, events[0][3])],
        r"log\.csv, line 3 is longer than 1,048,576 bytes",
    ),
    "no valid event": (
        lambda events: [(user, session, "Movie_None", time) for user, session, _, time in events],
        r"none of its 1200 events can be used \(unknown_item 1200\)\. .*'Movie_None'",
    ),
    "a session of two users": (
        lambda events: [*events[:-1], ("somebody", *events[-1][1:])],
        "session_id 's299' is used by two users, 'somebody' and 'u49'. Make session ids unique",
    ),
    "too many unknown items": (
        lambda events: [
            (user, session, "Movie_None" if n % 10 == 0 else item, time)
            for n, (user, session, item, time) in enumerate(events)
        ],
        "interactions/events: .* the check failed on what is listed above",
    ),
    "sessions of one event": (
        lambda events: [
            (user, f"s{n}", item, time) for n, (user, _, item, time) in enumerate(events)
        ],
        "sessions/sequences: All 1200 sessions are shorter than 2 events. Raise CROSSREC_",
    ),
}


@pytest.fixture(scope="module")
def log_world(world: BuiltWorld) -> BuiltWorld:
    world.deliver("movies", as_is)
    world.rebuild()
    return world


@pytest.mark.parametrize(("change", "message"), BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_a_log_with_bad_events_is_refused(
    log_world: BuiltWorld, before: Published, change: Callable[[Events], Events], message: str
):
    log = write_log(log_world, change(good_events(log_world)))
    assert re.search(message, refusal(log_world, events=log))
    assert log_world.published().equals(before)


BAD_LOG_BYTES: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "missing file": (lambda _: None, "does not exist. Set CROSSREC_EVENTS"),
    "empty file": (lambda _: b"", "is empty. Deliver the log again"),
    "required column missing": (
        lambda content: content.replace(b"item_id", b"asin", 1),
        "has no column 'item_id'. Columns found: .*'asin'.*CROSSREC_EVENT_COLUMNS__ITEM_ID",
    ),
    "wrong delimiter": (lambda content: content.replace(b",", b";"), "delimited by ';'"),
    "not UTF-8": (
        lambda content: content.replace(b"u1,", b"\xe91,", 1),
        "line 6: byte 0xe9 is not UTF-8. Convert",
    ),
    "NUL byte": (lambda content: content.replace(b"u1,", b"\0001,", 1), "line 6: a NUL byte"),
}


@pytest.mark.parametrize(("damage", "message"), BAD_LOG_BYTES.values(), ids=BAD_LOG_BYTES)
def test_a_damaged_log_is_refused(
    log_world: BuiltWorld,
    before: Published,
    damage: Callable[[bytes], bytes | None],
    message: str,
):
    path = Path(write_log(log_world, good_events(log_world)))
    content = damage(path.read_bytes())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    refused = refusal(log_world, events=str(path))
    assert str(path) in refused
    assert re.search(message, refused)
    assert log_world.published().equals(before)


# What is refused alone, while the rest goes on


@pytest.fixture(scope="module")
def odd_world(log_world: BuiltWorld) -> BuiltWorld:
    """Deliver a few odd rows and events among good ones, without one column, and build."""

    def odd(rows: list[Row]) -> list[Row]:
        rows = columns(without("orig_lang"))(cell(1, "date_x", "12/31/9999")(rows))
        return [*rows, rows[5]]

    events = good_events(log_world)
    user, session, item, time = events[0]
    deliver(log_world, odd)
    log_world.rebuild(
        events=write_log(
            log_world,
            [*events, (user, session, "Movie_None", time), (user, session, item, "9999-01-01")],
        )
    )
    return log_world


def test_a_missing_optional_column_is_named_and_no_fault(odd_world: BuiltWorld):
    reader = SourceReader.from_settings(odd_world.settings)
    raw = reader.load(MOVIES, odd_world.settings.source("movies"))
    assert raw.missing_columns == ("orig_lang",)
    published = odd_world.items().filter(pl.col("item_type") == "Movie")
    assert published["source_row"].max() == ROWS


def test_a_row_that_is_there_twice_is_counted_and_left_out(odd_world: BuiltWorld):
    rejected = odd_world.rejected().filter(pl.col("item_type") == "Movie")
    assert rejected.select("source_row", "reason").rows() == [(ROWS + 1, "duplicate")]
    assert odd_world.items().filter(pl.col("item_type") == "Movie").height == ROWS


def test_a_date_of_the_year_9999_is_no_date(odd_world: BuiltWorld):
    first = odd_world.items().filter(item_type="Movie", source_row=1)
    assert first.select("title", "release_date").rows() == [("Creed III", None)]


def test_events_of_unknown_items_and_from_the_future_are_counted_and_left_out(
    odd_world: BuiltWorld,
):
    refused = pl.read_parquet(odd_world.settings.rejected_events_path)
    assert refused["reason"].to_list() == ["unknown_item", "from_future"]
    accepted = pl.read_parquet(odd_world.settings.events_dir / "**/*.parquet")
    assert accepted.height == len(good_events(odd_world))
