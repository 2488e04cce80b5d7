import uuid
from datetime import UTC, date, datetime

import fsspec
import pytest

from crossrec_pipeline.errors import EventsError, StorageError
from crossrec_pipeline.interactions.deliveries import Reading, is_growing, location_fingerprint
from crossrec_pipeline.settings import LogSettings
from crossrec_pipeline_tests.interactions.deliveries.growing_log import HEADER, GrowingLog


class Bucket:
    """A log that grows in an object store."""

    def __init__(self) -> None:
        self.url = f"memory://{uuid.uuid4().hex}/logs"
        self._fs, self._path = fsspec.url_to_fs(self.url)

    def deliver(self, name: str, *rows: str) -> None:
        self._fs.pipe_file(
            f"{self._path}/{name}", "".join(f"{line}\n" for line in [HEADER, *rows]).encode()
        )

    def remove(self, name: str) -> None:
        self._fs.rm_file(f"{self._path}/{name}")


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def read(log: GrowingLog, location: str) -> Reading:
    """Read now: objects that appeared this moment are whole."""
    return log.read(datetime.now(UTC), location)


def test_a_folder_of_an_object_store_grows(bucket: Bucket):
    assert is_growing(f"{bucket.url}/")
    assert is_growing(f"{bucket.url}/{{date}}.csv")
    assert not is_growing(f"{bucket.url}/log.csv")


def test_each_object_is_read_once(bucket: Bucket, log: GrowingLog):
    bucket.deliver("a.csv", "u1,A,2024-03-01T10:00")
    first = read(log, f"{bucket.url}/")
    bucket.deliver("later/b.csv", "u1,B,2024-03-02T10:00", "u1,A,2024-03-01T09:00")
    second, third = read(log, f"{bucket.url}/"), read(log, f"{bucket.url}/")
    assert (first.n_read, second.n_read, third.n_read) == (1, 1, 0)
    assert second.days == (date(2024, 3, 1), date(2024, 3, 2))
    log.publish_all()
    assert log.accepted("2024-03-01")["item_id"].to_list() == ["A", "A"]


def test_only_what_fits_the_template_is_read(bucket: Bucket, log: GrowingLog):
    bucket.deliver("2024-03-01/part.csv", "u1,A,2024-03-01")
    bucket.deliver("2024-13-01/part.csv", "u1,A,2024-03-02")
    bucket.deliver("2024-03-03/other.csv", "u1,A,2024-03-03")
    assert read(log, f"{bucket.url}/{{date}}/part.csv").days == (date(2024, 3, 1),)


def test_what_was_rotated_away_is_kept(bucket: Bucket, log: GrowingLog):
    bucket.deliver("a.csv", "u1,A,2024-03-01")
    bucket.deliver("b.csv", "u1,A,2024-03-02")
    read(log, f"{bucket.url}/")
    bucket.remove("a.csv")
    assert read(log, f"{bucket.url}/").days == ()
    assert log.days() == ["2024-03-01", "2024-03-02"]


def test_on_an_empty_disk_nothing_is_read_anew(bucket: Bucket, log: GrowingLog):
    bucket.deliver("a.csv", "u1,A,2024-03-01")
    version = read(log, f"{bucket.url}/").version
    for copy in [path for path in log.copies.rglob("*") if path.is_file()]:
        copy.unlink()
    again = read(log, f"{bucket.url}/")
    assert (again.n_read, again.version) == (0, version)


def test_the_fingerprint_follows_the_listing(bucket: Bucket):
    def look() -> str:
        return location_fingerprint(f"{bucket.url}/", LogSettings())

    bucket.deliver("a.csv", "u1,A,2024-03-01")
    first = look()
    assert look() == first
    bucket.deliver("b.csv", "u1,A,2024-03-02")
    assert look() != first


def test_an_empty_folder_is_named(bucket: Bucket, log: GrowingLog):
    with pytest.raises(StorageError, match=bucket.url):
        read(log, f"{bucket.url}/")


def test_another_log_is_refused(bucket: Bucket, log: GrowingLog):
    bucket.deliver("a.csv", "u1,A,2024-03-01")
    read(log, f"{bucket.url}/")
    other = Bucket()
    other.deliver("a.csv", "u1,A,2024-03-01")
    with pytest.raises(EventsError, match=other.url):
        read(log, f"{other.url}/")
