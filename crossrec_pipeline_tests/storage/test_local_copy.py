import uuid
from pathlib import Path

import fsspec
import pytest

from crossrec_pipeline.errors import EventsError, StorageError
from crossrec_pipeline.storage.local_copy import (
    bring_here,
    list_files,
    name_urls,
    remote_fingerprint,
    urls_named,
)


def quiet(_: str) -> None:
    pass


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where three files were delivered."""
    place = uuid.uuid4().hex if request.param == "memory" else f"{tmp_path}/shop"
    url = f"{request.param}://{place}"
    for name in ("logs/a.csv", "logs/b.csv", "logs/notes.txt"):
        deliver(f"{url}/{name}", f"rows of {name}")
    return url


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return tmp_path / "copies"


def deliver(url: str, text: str) -> None:
    fs, path = fsspec.url_to_fs(url)
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    fs.pipe_file(path, text.encode())


def withdraw(url: str) -> None:
    fs, path = fsspec.url_to_fs(url)
    fs.rm_file(path)


def found(here: str) -> list[str]:
    """Read what a local glob matches."""
    path = Path(here)
    return [each.read_text() for each in sorted(path.parent.glob(path.name))]


def test_a_glob_there_is_a_glob_here(url: str, copies: Path):
    here = bring_here(f"{url}/logs/*.csv", copies, quiet)
    assert found(here) == ["rows of logs/a.csv", "rows of logs/b.csv"]


def test_one_file_is_one_file(url: str, copies: Path):
    here = Path(bring_here(f"{url}/logs/a.csv", copies, quiet))
    assert here.name == "a.csv"
    assert here.read_text() == "rows of logs/a.csv"


def test_a_folder_is_a_folder(url: str, copies: Path):
    here = Path(bring_here(f"{url}/logs", copies, quiet))
    assert sorted(path.name for path in here.iterdir()) == ["a.csv", "b.csv", "notes.txt"]


def test_what_is_here_is_not_read_again(url: str, copies: Path):
    said: list[str] = []
    bring_here(f"{url}/logs/*.csv", copies, said.append)
    deliver(f"{url}/logs/c.csv", "a new file")
    bring_here(f"{url}/logs/*.csv", copies, said.append)
    bring_here(f"{url}/logs/*.csv", copies, said.append)
    # "rows of logs/a.csv" has 18 bytes, as the one of b; "a new file" has 10.
    assert said == [
        f"{url}/logs/*.csv: read 36 bytes (new files: 2 of 2)",
        f"{url}/logs/*.csv: read 10 bytes (new files: 1 of 3)",
    ]


def test_a_file_that_changed_is_read_again(url: str, copies: Path):
    bring_here(f"{url}/logs/*.csv", copies, quiet)
    deliver(f"{url}/logs/a.csv", "other rows")
    assert found(bring_here(f"{url}/logs/*.csv", copies, quiet))[0] == "other rows"


def test_a_file_that_is_gone_there_is_gone_here(url: str, copies: Path):
    bring_here(f"{url}/logs/*.csv", copies, quiet)
    withdraw(f"{url}/logs/a.csv")
    assert found(bring_here(f"{url}/logs/*.csv", copies, quiet)) == ["rows of logs/b.csv"]


def test_a_file_that_no_pattern_matches_is_left_alone(url: str, copies: Path):
    here = Path(bring_here(f"{url}/logs/notes.txt", copies, quiet))
    bring_here(f"{url}/logs/*.csv", copies, quiet)
    assert here.is_file()


def test_the_fingerprint_moves_with_the_files(url: str):
    pattern = f"{url}/logs/*.csv"
    first = remote_fingerprint(pattern)
    deliver(f"{url}/logs/notes.txt", "no file of the pattern")
    assert remote_fingerprint(pattern) == first
    deliver(f"{url}/logs/a.csv", "other rows")
    second = remote_fingerprint(pattern)
    withdraw(f"{url}/logs/b.csv")
    assert len({first, second, remote_fingerprint(pattern)}) == 3


def test_the_fingerprint_reads_no_file(url: str, monkeypatch: pytest.MonkeyPatch):
    fs, _ = fsspec.url_to_fs(url)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    for name in ("open", "get_file", "cat_file"):
        monkeypatch.setattr(type(fs), name, refuse)
    assert remote_fingerprint(f"{url}/logs/*.csv")


def test_nothing_there_is_said(url: str):
    with pytest.raises(StorageError, match=r"\*.parquet matches no file"):
        list_files(f"{url}/logs/*.parquet")
    with pytest.raises(StorageError, match=r"nobody.csv does not exist"):
        list_files(f"{url}/nobody.csv")


def test_errors_name_the_url_and_not_the_copy(url: str, copies: Path):
    here = bring_here(f"{url}/logs/a.csv", copies, quiet)
    assert name_urls(f"{here}, line 3: no date", copies) == f"{url}/logs/a.csv, line 3: no date"
    with pytest.raises(EventsError, match=f"^{url}/logs/a.csv is empty"), urls_named(copies):
        raise EventsError(f"{here} is empty.")
    with pytest.raises(EventsError, match=r"^elsewhere$"), urls_named(copies):
        raise EventsError("elsewhere")


def test_text_without_copies_is_left_as_it_is(tmp_path: Path):
    assert name_urls("/a/b is empty.", tmp_path / "none") == "/a/b is empty."
