import threading
import uuid
from datetime import timedelta
from pathlib import Path

import fsspec
import pytest

from crossrec_pipeline.errors import StorageError
from crossrec_pipeline.storage.store import Store
from crossrec_pipeline.storage.working_copy import Output

LOG = Output("log", ("events/*", "verdict.json"))
NOW = timedelta(0)


def quiet(_: str) -> None:
    pass


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    place = uuid.uuid4().hex if request.param == "memory" else f"{tmp_path}/store"
    return Store(f"{request.param}://{place}")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Two days of a log, and a verdict."""
    root = tmp_path / "here"
    for day in ("date=1", "date=2"):
        write(root / "events" / day / "part-0.parquet", f"events of {day}")
    write(root / "verdict.json", "passed")
    return root


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The disk of another machine."""
    return tmp_path / "there"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def contents(root: Path) -> dict[str, str]:
    """Read all files but those of the store's own folder."""
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".store" not in path.parts
    }


def objects(store: Store) -> list[str]:
    fs, path = fsspec.url_to_fs(store.url)
    fs.invalidate_cache()
    return sorted(fs.find(f"{path}/objects"))


def test_what_was_published_is_fetched_on_another_disk(store: Store, here: Path, there: Path):
    version = store.publish(LOG, here, quiet)
    assert store.fetch(LOG, there, quiet) == version
    assert contents(there) == contents(here)
    assert contents(there) == {
        "events/date=1/part-0.parquet": "events of date=1",
        "events/date=2/part-0.parquet": "events of date=2",
        "verdict.json": "passed",
    }


def test_of_nothing_there_is_no_version(store: Store, tmp_path: Path):
    assert store.publish(LOG, tmp_path / "empty", quiet) is None
    assert store.fetch(LOG, tmp_path / "empty", quiet) is None
    assert store.current("log") is None
    assert store.names() == []
    assert store.prune(1) == 0


def test_what_lies_here_stays_where_nothing_was_published(store: Store, here: Path):
    before = contents(here)
    store.fetch(LOG, here, quiet)
    assert contents(here) == before


def test_unchanged_content_is_no_new_version(store: Store, here: Path):
    first = store.publish(LOG, here, quiet)
    (here / "verdict.json").write_text("passed")  # the same, written again
    assert store.publish(LOG, here, quiet) == first


def test_only_what_changed_is_sent(store: Store, here: Path):
    store.publish(LOG, here, quiet)
    before = objects(store)
    write(here / "events" / "date=3" / "part-0.parquet", "a late day")
    said: list[str] = []
    store.publish(LOG, here, said.append)
    assert len(objects(store)) == len(before) + 1
    assert said == [f"sent 10 bytes to {store.url} (new files: 1)"]  # "a late day"


def test_only_what_differs_is_read_and_replaced(store: Store, here: Path, there: Path):
    store.publish(LOG, here, quiet)
    store.fetch(LOG, there, quiet)
    kept = (there / "events" / "date=1" / "part-0.parquet").stat().st_ino
    (here / "verdict.json").write_text("refused")
    store.publish(LOG, here, quiet)
    said: list[str] = []
    store.fetch(LOG, there, said.append)
    assert (there / "verdict.json").read_text() == "refused"
    assert (there / "events" / "date=1" / "part-0.parquet").stat().st_ino == kept
    assert said == [f"log: read 7 bytes from {store.url} (new files: 1)"]  # "refused"


def test_what_the_newest_version_lacks_is_deleted(store: Store, here: Path, there: Path):
    store.publish(LOG, here, quiet)
    store.fetch(LOG, there, quiet)
    (here / "events" / "date=1" / "part-0.parquet").unlink()
    (here / "events" / "date=1").rmdir()
    write(there / "other", "none of the output's")
    store.publish(LOG, here, quiet)
    store.fetch(LOG, there, quiet)
    assert contents(there) == {**contents(here), "other": "none of the output's"}


def test_what_was_deleted_or_altered_by_hand_is_fetched_again(store: Store, here: Path):
    store.publish(LOG, here, quiet)
    before = contents(here)
    (here / "events" / "date=1" / "part-0.parquet").unlink()
    (here / "verdict.json").write_text("altered")
    store.fetch(LOG, here, quiet)
    assert contents(here) == before


def test_a_folder_keeps_its_files_that_did_not_change(store: Store, here: Path, there: Path):
    day = Output("day", ("events",))
    store.publish(day, here, quiet)
    store.fetch(day, there, quiet)
    write(here / "events" / "date=2" / "part-0.parquet", "corrected")
    store.publish(day, here, quiet)
    said: list[str] = []
    store.fetch(day, there, said.append)
    assert contents(there / "events") == contents(here / "events")
    assert said == [f"day: read 9 bytes from {store.url} (new files: 1)"]  # "corrected"


def test_a_damaged_object_is_refused_and_what_lies_here_stays(
    store: Store, here: Path, there: Path
):
    store.publish(LOG, here, quiet)
    store.fetch(LOG, there, quiet)
    before = contents(there)
    (here / "verdict.json").write_text("refused")
    write(here / "events" / "date=3" / "part-0.parquet", "a late day")
    known = set(objects(store))
    store.publish(LOG, here, quiet)
    fs, _ = fsspec.url_to_fs(store.url)
    damaged = next(iter(set(objects(store)) - known))
    fs.pipe_file(damaged, b"something else")
    with pytest.raises(StorageError, match="is damaged"):
        store.fetch(LOG, there, quiet)
    assert contents(there) == before


def test_a_fetch_that_was_broken_off_goes_on(store: Store, here: Path, there: Path):
    store.publish(LOG, here, quiet)
    fs, _ = fsspec.url_to_fs(store.url)
    missing = objects(store)[0]
    content = fs.cat_file(missing)
    fs.rm_file(missing)
    with pytest.raises(StorageError, match="does not exist"):
        store.fetch(LOG, there, quiet)
    assert contents(there) == {}
    fs.pipe_file(missing, content)
    store.fetch(LOG, there, quiet)
    assert contents(there) == contents(here)


def test_what_a_broken_off_publication_sent_is_not_sent_again(store: Store, here: Path):
    store.publish(LOG, here, quiet)
    fs, path = fsspec.url_to_fs(store.url)
    fs.rm(f"{path}/current", recursive=True)  # killed before the last step
    said: list[str] = []
    store.publish(LOG, here, said.append)
    assert said == []
    assert store.current("log") is not None


def test_a_publication_that_fails_leaves_the_version_before(
    store: Store, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
):
    store.publish(LOG, here, quiet)
    expected = contents(here)
    (here / "verdict.json").write_text("refused")

    def fail(*_: object) -> None:
        raise TimeoutError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr("crossrec_pipeline.storage.store.send_file", fail)
        with pytest.raises(StorageError, match=r"cannot be reached .*no answer.*run again"):
            store.publish(LOG, here, quiet)
    store.fetch(LOG, there, quiet)
    assert contents(there) == expected


def test_of_writers_at_once_one_wins_whole(store: Store, tmp_path: Path, there: Path):
    roots = [tmp_path / f"writer_{n}" for n in range(6)]
    for n, root in enumerate(roots):
        for name in ("a", "b", "c"):
            write(root / "events" / name, f"{name} of writer {n}")
    threads = [
        threading.Thread(target=Store(store.url).publish, args=(LOG, root, quiet)) for root in roots
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.fetch(LOG, there, quiet)
    assert contents(there) in [contents(root) for root in roots]


def test_unfinished_output_of_another_process_is_not_published(store: Store, here: Path):
    before = store.publish(LOG, here, quiet)
    write(here / "events" / ".date=3.partial-1-abc" / "part-0.parquet", "half a d")
    write(here / "events" / "date=1" / ".x.partial-1-abc", "half a f")
    assert store.publish(LOG, here, quiet) == before


def test_some_units_are_fetched_and_others_left_alone(store: Store, here: Path, there: Path):
    version = store.publish(LOG, here, quiet)
    assert version is not None
    write(there / "events" / "date=9" / "part-0.parquet", "ours")
    store.fetch_units(version, ["events/date=2"], there, quiet)
    assert contents(there) == {
        "events/date=2/part-0.parquet": "events of date=2",
        "events/date=9/part-0.parquet": "ours",
    }
    assert store.read(version, "verdict.json") == b"passed"


def test_names_are_listed_below_a_folder(store: Store, here: Path):
    for name in ("log", "days/1", "days/2"):
        store.publish(Output(name, LOG.units), here, quiet)
    assert store.names() == ["days/1", "days/2", "log"]
    assert store.names("days") == ["days/1", "days/2"]


def test_pruning_keeps_the_newest_versions_and_what_they_name(
    store: Store, here: Path, there: Path
):
    for verdict in ("first", "second!", "third"):
        (here / "verdict.json").write_text(verdict)
        store.publish(LOG, here, quiet)
    # Two days and three verdicts; the first verdict is left by the newest two.
    assert len(objects(store)) == 5
    assert store.prune(2, NOW) == 5  # bytes of "first"
    assert store.prune(1, NOW) == 7  # bytes of "second!"
    assert store.prune(1, NOW) == 0
    store.fetch(LOG, there, quiet)
    assert contents(there) == contents(here)


def test_pruning_spares_what_is_young(store: Store, here: Path):
    for verdict in ("first", "second"):
        (here / "verdict.json").write_text(verdict)
        store.publish(LOG, here, quiet)
    assert store.prune(1) == 0
    assert len(objects(store)) == 4


def test_pruning_to_nothing_is_refused(store: Store):
    with pytest.raises(StorageError, match="keep=0 would delete"):
        store.prune(0)


def test_another_format_is_refused(store: Store, here: Path):
    store.publish(LOG, here, quiet)
    fs, path = fsspec.url_to_fs(store.url)
    fs.pipe_file(f"{path}/current/log.json", b'{"format_version": 99}')
    with pytest.raises(StorageError, match="format version 99"):
        store.current("log")
    fs.pipe_file(f"{path}/current/log.json", b"{half")
    with pytest.raises(StorageError, match=r"current/log.json is damaged"):
        store.current("log")


def test_an_unknown_protocol_is_named():
    with pytest.raises(StorageError, match="no protocol 'nowhere'"):
        Store("nowhere://bucket")
