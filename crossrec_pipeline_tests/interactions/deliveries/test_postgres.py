from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

from crossrec_pipeline.errors import EventsError, SettingsError
from crossrec_pipeline.interactions.deliveries import (
    Reading,
    known_days,
    location_fingerprint,
    publish_day,
    read_deliveries,
)
from crossrec_pipeline.settings import LogSettings
from crossrec_pipeline_tests.interactions.deliveries.postgres_server import (
    SUPERUSER_PASSWORD,
    find_binaries,
    running_server,
)

dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi")
BINARIES = find_binaries()
pytestmark = pytest.mark.skipif(BINARIES is None, reason="no PostgreSQL server is installed")

ITEMS = pl.DataFrame({"item_id": ["A", "B"]})
NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)
CLICKS = LogSettings(table="shop.clicks")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    assert BINARIES is not None
    with running_server(BINARIES) as port:
        yield port


class Shop:
    """A database with a schema `shop`, and what was read of it."""

    def __init__(self, port: int, directory: Path) -> None:
        self.url = f"postgresql://postgres:{quote(SUPERUSER_PASSWORD)}@127.0.0.1:{port}/postgres"
        self.directory = directory

    def run(self, *statements: str) -> None:
        with dbapi.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                with connection.cursor() as cursor:
                    cursor.execute(statement)

    def table(self, rows: list[str], time_type: str = "timestamptz") -> None:
        self.run(f"CREATE TABLE shop.clicks (user_id bigint, item_id text, timestamp {time_type})")
        self.add(rows)

    def add(self, rows: list[str]) -> None:
        if rows:
            self.run(f"INSERT INTO shop.clicks VALUES {', '.join(rows)}")

    def read(
        self,
        now: datetime = NOW,
        log: LogSettings = CLICKS,
        columns: dict[str, str] | None = None,
        url: str | None = None,
    ) -> Reading:
        return read_deliveries(
            url or self.url,
            columns or {},
            {},
            log,
            self.directory / "deliveries",
            self.directory / "rejected",
            self.directory / "copies",
            now,
            lambda line: None,
        )

    def days(self) -> list[str]:
        return [day.isoformat() for day in known_days(self.directory / "deliveries")]

    def events(self, day: str, now: datetime = NOW) -> list[tuple]:
        publish_day(
            date.fromisoformat(day),
            ITEMS,
            self.directory / "deliveries",
            self.directory / "events",
            self.directory / "rejected",
            now,
        )
        events = pl.read_parquet(self.directory / "events" / f"date={day}" / "part-0.parquet")
        return events.select("user_id", "item_id", "timestamp").rows()


@pytest.fixture
def shop(port: int, tmp_path: Path) -> Shop:
    shop = Shop(port, tmp_path)
    shop.run("DROP SCHEMA IF EXISTS shop CASCADE", "CREATE SCHEMA shop")
    return shop


# What is read


def test_rows_of_a_table_become_events_of_their_days(shop: Shop):
    shop.table(
        [
            "(1, 'A', '2024-03-01 10:00+00')",
            "(1, 'B', '2024-03-02 01:00+02')",
            "(2, 'A', '2024-03-05')",
        ]
    )
    reading = shop.read()
    # 01:00 at +02 is 23:00 of the day before in UTC.
    assert shop.days() == ["2024-03-01", "2024-03-05"]
    assert (reading.n_deliveries, reading.n_rows) == (2, 3)
    assert shop.events("2024-03-01") == [
        ("1", "A", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("1", "B", datetime(2024, 3, 1, 23, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    ("time_type", "value"),
    [
        ("timestamptz", "'2024-03-01 12:00:00.123456+02'"),
        ("timestamp", "'2024-03-01 10:00:00.123456'"),
        ("bigint", "1709287200123456"),
        ("numeric", "1709287200.123456"),
        ("double precision", "1709287200123.456"),
    ],
)
def test_times_of_every_type_are_read_to_the_microsecond(shop: Shop, time_type: str, value: str):
    shop.table([f"(1, 'A', {value})"], time_type)
    shop.read()
    expected = datetime(2024, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)
    assert [time for _, _, time in shop.events("2024-03-01")] == [expected]


def test_dates_are_midnight(shop: Shop):
    shop.table(["(1, 'A', '2024-03-01')"], "date")
    shop.read()
    assert shop.events("2024-03-01") == [("1", "A", datetime(2024, 3, 1, tzinfo=UTC))]


def test_numbers_of_several_units_lie_in_the_same_day(shop: Shop):
    shop.table(["(1, 'A', 1709287200)", "(2, 'A', 1709287200000)", "(3, 'A', -86400)"], "bigint")
    shop.read()
    assert shop.days() == ["1969-12-31", "2024-03-01"]
    assert [user for user, _, _ in shop.events("2024-03-01")] == ["1", "2"]


def test_view_with_other_names_is_read_through_the_mapping(shop: Shop):
    shop.table(["(1, 'A', '2024-03-01')"])
    shop.run(
        'CREATE VIEW shop."Web Log" AS SELECT user_id AS "who?", item_id AS what, timestamp AS at '
        "FROM shop.clicks"
    )
    log = LogSettings(table='shop."Web Log"')
    shop.read(log=log, columns={"user_id": "who?", "item_id": "what", "timestamp": "at"})
    assert shop.events("2024-03-01") == [("1", "A", datetime(2024, 3, 1, tzinfo=UTC))]


def test_rows_without_a_usable_time_are_refused_with_a_reason(shop: Shop):
    shop.table(
        [
            "(1, 'A', NULL)",
            "(1, 'A', 'infinity')",
            "(1, 'A', '-infinity')",
            "(1, 'A', '2024-03-01')",
        ]
    )
    reading = shop.read()
    assert reading.undated == {"no_timestamp": 1, "unparseable_timestamp": 2}
    assert shop.days() == ["2024-03-01"]


def test_rows_ahead_of_now_are_read_when_their_time_comes(shop: Shop):
    # now is the 10th at noon: up to the 11th at noon is accepted.
    shop.table(["(1, 'A', '2024-03-11 12:00+00')", "(1, 'A', '2024-03-11 12:00:01+00')"])
    assert shop.read().n_rows == 1
    assert shop.read(NOW + timedelta(days=1)).n_rows == 2


def test_days_before_the_first_are_not_read(shop: Shop):
    shop.table(["(1, 'A', '1970-01-01')", "(1, 'A', '2024-03-01')"])
    shop.read(log=LogSettings(table="shop.clicks", first_day=date(2024, 1, 1)))
    assert shop.days() == ["2024-03-01"]


def test_empty_table_has_nothing_to_read(shop: Shop):
    shop.table([])
    with pytest.raises(EventsError, match="has nothing to read yet"):
        shop.read()


# What is read again


def test_unchanged_days_touch_nothing(shop: Shop):
    shop.table(["(1, 'A', '2024-03-09')", "(1, 'B', '2024-03-09')"])
    first = shop.read()
    again = shop.read()
    assert (again.n_read, again.days) == (0, ())
    assert again.version == first.version


def test_rows_that_come_late_are_found_within_the_late_days(shop: Shop):
    shop.table(["(1, 'A', '2024-03-07')", "(1, 'A', '2024-03-05')"])
    shop.read()
    # On the 10th at noon the 7th ended two and a half days ago, the 5th four and a half.
    shop.add(["(2, 'A', '2024-03-07')", "(2, 'A', '2024-03-05')"])
    assert shop.read().days == (date(2024, 3, 7),)


def test_day_that_was_read_before_its_end_is_read_again_however_late(shop: Shop):
    shop.table(["(1, 'A', '2024-03-10 11:00+00')"])
    shop.read()
    shop.add(["(2, 'A', '2024-03-10 13:00+00')"])
    assert shop.read(NOW + timedelta(days=30)).n_rows == 2
    # It has now been read long after its end.
    shop.add(["(3, 'A', '2024-03-10 14:00+00')"])
    assert shop.read(NOW + timedelta(days=30)).days == ()


def test_day_that_was_empty_is_read_when_rows_appear(shop: Shop):
    shop.table(["(1, 'A', '2024-01-01')", "(1, 'A', '2024-01-03')"])
    shop.read()
    shop.add(["(1, 'A', '2024-01-02')"])
    assert shop.read().days == (date(2024, 1, 2),)


def test_rows_that_were_deleted_are_taken_back(shop: Shop):
    shop.table(["(1, 'A', '2024-03-09')", "(1, 'A', '2024-03-08')"])
    shop.read()
    shop.run("DELETE FROM shop.clicks WHERE timestamp = '2024-03-09'")
    assert shop.read().days == (date(2024, 3, 9),)
    assert shop.days() == ["2024-03-08"]


def test_fingerprint_follows_the_last_days(shop: Shop):
    today = datetime.now(UTC).date().isoformat()
    shop.table([f"(1, 'A', '{today}')"])
    before = location_fingerprint(shop.url, CLICKS)
    assert location_fingerprint(shop.url, CLICKS) == before
    shop.add([f"(2, 'A', '{today}')"])
    assert location_fingerprint(shop.url, CLICKS) != before


# What is refused


def refuse(shop: Shop, **how) -> str:
    with pytest.raises(EventsError) as refused:
        shop.read(**how)
    assert SUPERUSER_PASSWORD not in str(refused.value)
    assert quote(SUPERUSER_PASSWORD) not in str(refused.value)
    return str(refused.value)


def test_no_server(shop: Shop):
    message = refuse(shop, url=f"postgresql://postgres:{quote(SUPERUSER_PASSWORD)}@127.0.0.1:1/x")
    assert "postgresql://postgres@127.0.0.1:1/x cannot be read" in message
    assert "Connection refused" in message


def test_wrong_password_is_not_shown(shop: Shop):
    message = refuse(shop, url=shop.url.replace(quote(SUPERUSER_PASSWORD), "battery"))
    assert "password authentication failed" in message
    assert "battery" not in message
    assert "PGPASSWORD or ~/.pgpass" in message


def test_password_among_the_options_of_the_url_is_not_shown(shop: Shop):
    message = refuse(shop, url="postgresql:///shop?host=/nowhere&password=battery")
    assert "postgresql:///shop cannot be read" in message
    assert "/nowhere" in message
    assert "battery" not in message


def test_no_such_database(shop: Shop):
    message = refuse(shop, url=shop.url.removesuffix("postgres") + "nowhere")
    assert 'database "nowhere" does not exist' in message


def test_password_may_come_from_the_environment(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.table(["(1, 'A', '2024-03-01')"])
    monkeypatch.setenv("PGPASSWORD", SUPERUSER_PASSWORD)
    shop.read(url=shop.url.replace(f":{quote(SUPERUSER_PASSWORD)}@", "@"))
    assert shop.days() == ["2024-03-01"]


def test_no_table_named(shop: Shop):
    with pytest.raises(SettingsError, match="Set CROSSREC_LOG__TABLE"):
        shop.read(log=LogSettings())


@pytest.mark.parametrize("table", ["", "a.b.c", "shop.", 'x"; DROP TABLE y', '"'])
def test_name_that_is_none(shop: Shop, table: str):
    with pytest.raises(SettingsError, match="is no name of a table"):
        shop.read(log=LogSettings(table=table))


def test_no_such_table(shop: Shop):
    message = refuse(shop, log=LogSettings(table="shop.visits"))
    assert "CROSSREC_LOG__TABLE=shop.visits: the database has no such table or view" in message


def test_no_such_column(shop: Shop):
    shop.run("CREATE TABLE shop.clicks (user_id bigint, asin text, timestamp timestamptz)")
    message = refuse(shop)
    assert "shop.clicks has no column 'item_id'. Columns found: 'user_id', 'asin'" in message


def test_time_of_a_type_that_is_none(shop: Shop):
    shop.table([], "text")
    assert "column 'timestamp' (for timestamp) has type text" in refuse(shop)


def test_table_that_may_not_be_read(shop: Shop):
    shop.table([])
    shop.run(
        "DROP ROLE IF EXISTS guest",
        "CREATE ROLE guest LOGIN PASSWORD 'sesame'",
        "GRANT USAGE ON SCHEMA shop TO guest",
    )
    url = shop.url.replace(f"postgres:{quote(SUPERUSER_PASSWORD)}", "guest:sesame")
    message = refuse(shop, url=url)
    assert "permission denied for table clicks" in message
    assert "granted SELECT" in message
