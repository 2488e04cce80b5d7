import os
from dataclasses import replace
from pathlib import Path

import datasets
import huggingface_hub
import polars as pl
import pytest

from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.domains import BOOKS
from crossrec_pipeline.errors import SourceError

HEADER = "Unnamed: 0,Book,Author,Description,Genres,Avg_Rating,Num_Ratings,URL\n"
EMMA = "0,Emma,Jane Austen,,\"['Classics', 'Romance']\",4.05,\"928,127\",https://example.org/1\n"
PERSUASION = "1,Persuasion,Jane Austen,Late love.,[],4.15,,https://example.org/2\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the data set's folder in a mirror of the hub."""
    path = tmp_path / "mirror" / "Eitanli" / "goodreads"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def mirror(tmp_path: Path, folder: Path) -> SourceReader:
    (folder / "goodreads_data.csv").write_text(HEADER + EMMA + PERSUASION)
    return SourceReader(tmp_path, tmp_path / "cache", tmp_path / "mirror")


@pytest.fixture
def online(tmp_path: Path) -> SourceReader:
    return SourceReader(tmp_path, tmp_path / "cache")


def stands_at(monkeypatch: pytest.MonkeyPatch, commits: dict[str, str]) -> None:
    def dataset_info(self: object, repo_id: str, *, revision: str) -> object:
        return huggingface_hub.DatasetInfo(id=repo_id, sha=commits[revision], tags=[])

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)


def unreachable(*_: object, **__: object) -> None:
    raise ConnectionError("[Errno -2] Name or service not known")


def test_a_mirrored_data_set_is_read_through_datasets(mirror: SourceReader):
    raw = mirror.load(BOOKS, "hub")
    assert raw.frame.row(0, named=True) == {
        "Unnamed: 0": "0",
        "Book": "Emma",
        "Author": "Jane Austen",
        "Description": None,
        "Genres": "['Classics', 'Romance']",
        "Avg_Rating": "4.05",
        "Num_Ratings": "928,127",
        "URL": "https://example.org/1",
        "source": "books:Eitanli/goodreads",
        "source_row": 1,
    }
    assert raw.frame["Genres"].to_list()[1] == "[]"
    assert raw.files == (f"Eitanli/goodreads@{raw.version}",)


@pytest.mark.parametrize("extension", ["parquet", "jsonl"])
def test_a_mirror_may_hold_other_formats(mirror: SourceReader, folder: Path, extension: str):
    (folder / "goodreads_data.csv").unlink()
    frame = pl.DataFrame({"Book": ["Emma"], "Author": ["Jane Austen"], "Genres": [["A", "B"]]})
    write = frame.write_parquet if extension == "parquet" else frame.write_ndjson
    write(folder / f"train.{extension}")
    raw = mirror.load(BOOKS, "hub")
    assert raw.frame.select("Book", "Genres").rows() == [("Emma", "['A', 'B']")]


def test_a_mirrors_version_follows_its_content_even_under_an_old_time_stamp(
    mirror: SourceReader, folder: Path
):
    file = folder / "goodreads_data.csv"
    stamp = file.stat().st_mtime_ns
    first = mirror.load(BOOKS, "hub")
    file.write_text(HEADER + EMMA.replace("Emma", "Anna") + PERSUASION)
    os.utime(file, ns=(stamp, stamp))
    second = mirror.load(BOOKS, "hub")
    assert second.frame["Book"].to_list() == ["Anna", "Persuasion"]
    assert first.version != second.version


def test_a_data_set_the_mirror_lacks(tmp_path: Path):
    reader = SourceReader(tmp_path, tmp_path / "cache", tmp_path / "mirror")
    with pytest.raises(SourceError, match=r"books: the hub mirror has no files in .*goodreads"):
        reader.load(BOOKS, "hub")


def test_a_mirror_that_cannot_be_read(mirror: SourceReader, folder: Path):
    (folder / "goodreads_data.csv").unlink()
    (folder / "train.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(SourceError, match=r"books: cannot read the hub mirror .*goodreads"):
        mirror.load(BOOKS, "hub")


def test_a_domain_without_a_data_set_has_no_hub_location(mirror: SourceReader):
    with pytest.raises(SourceError, match="has no hub data set"):
        mirror.load(replace(BOOKS, hub_id=None), "hub")


def test_the_version_of_a_hub_data_set_is_its_commit(
    online: SourceReader, monkeypatch: pytest.MonkeyPatch
):
    stands_at(monkeypatch, {"main": COMMIT, "v1": COMMIT[::-1]})
    assert online.version(BOOKS, "hub") == COMMIT
    assert online.version(BOOKS, "hub@v1") == COMMIT[::-1]
    assert online.fingerprint(BOOKS, "hub") == COMMIT


def test_the_commit_that_was_looked_up_is_the_one_that_is_loaded(
    online: SourceReader, monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple] = []

    def load_dataset(path: str, *, revision: str, split: str, cache_dir: str) -> datasets.Dataset:
        asked.append((path, revision, split, cache_dir))
        return datasets.Dataset.from_dict(
            {"Book": ["Emma"], "Author": ["Jane Austen"], "Genres": ["['A']"]}
        )

    stands_at(monkeypatch, {"main": COMMIT})
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    raw = online.load(BOOKS, "hub")
    assert asked == [("Eitanli/goodreads", COMMIT, "train", str(online.hub_cache_dir))]
    assert raw.version == COMMIT
    assert raw.files == (f"Eitanli/goodreads@{COMMIT}",)
    assert raw.frame["Book"].to_list() == ["Emma"]


def test_a_whole_commit_needs_no_look_up(online: SourceReader, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    assert online.version(BOOKS, f"hub@{COMMIT}") == COMMIT


@pytest.mark.parametrize(
    "look", [SourceReader.version, SourceReader.fingerprint, SourceReader.load]
)
def test_being_offline_is_one_message_with_the_remedies(
    online: SourceReader, monkeypatch: pytest.MonkeyPatch, look
):
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    with pytest.raises(SourceError) as caught:
        look(online, BOOKS, "hub")
    assert str(caught.value) == (
        "books: the hub cannot be reached for Eitanli/goodreads@main ([Errno -2] Name or service "
        "not known). Use a file of your own, the location 'sample', or a local copy of the data "
        "set through CROSSREC_HUB_MIRROR."
    )


def test_being_offline_while_downloading(online: SourceReader, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(SourceError, match=f"cannot load Eitanli/goodreads@{COMMIT}.*MIRROR"):
        online.load(BOOKS, f"hub@{COMMIT}")
