from pathlib import Path
from typing import Literal

import pytest

from crossrec_pipeline.content.encoders import choice
from crossrec_pipeline.content.encoders.choice import Choice, choose_encoder
from crossrec_pipeline.errors import ContentError
from crossrec_pipeline.settings import ContentSettings
from crossrec_pipeline_tests.content.letter_encoder import LetterEncoder

TEXTS = ["a white whale", "", "a whale ship"]


def chosen(encoder: Literal["auto", "sentence", "hashed"], folder: Path) -> Choice:
    return choose_encoder(ContentSettings(encoder=encoder), TEXTS, folder, lambda _line: None)


@pytest.fixture
def sentence_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LetterEncoder:
    encoder = LetterEncoder("sentences@1")
    monkeypatch.setattr(choice, "library_is_installed", lambda: True)
    monkeypatch.setattr(choice, "find_model", lambda _model: tmp_path)
    monkeypatch.setattr(choice, "_sentence", lambda _content, _folder: encoder)
    return encoder


def test_by_default_a_sentence_model_that_is_here_is_taken(
    tmp_path: Path, sentence_model: LetterEncoder
):
    found = chosen("auto", tmp_path)
    assert found.encoder is sentence_model
    assert found.reason == "all-MiniLM-L6-v2 is on this machine"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("library_is_installed", "the extra `text` is not installed"),
        ("find_model", "there is no model all-MiniLM-L6-v2 on this machine"),
    ],
)
@pytest.mark.usefixtures("sentence_model")
def test_by_default_hashed_words_are_taken_where_it_is_not_and_the_network_is_not_asked(
    tmp_path: Path, missing: str, reason: str, monkeypatch: pytest.MonkeyPatch
):
    def network(_model: str) -> Path:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(choice, "fetch_model", network)
    monkeypatch.setattr(choice, missing, lambda *_: None)
    found = chosen("auto", tmp_path)
    assert found.encoder.name.startswith("hashed-svd-")
    assert found.reason == reason


def test_hashed_words_can_be_asked_for_and_are_fitted_once(
    tmp_path: Path, sentence_model: LetterEncoder
):
    found = chosen("hashed", tmp_path)
    assert found.encoder.name.startswith("hashed-svd-")
    assert found.reason == "CROSSREC_CONTENT__ENCODER=hashed"
    assert [path.name for path in tmp_path.iterdir()] == ["hashed_encoder.safetensors"]
    assert chosen("hashed", tmp_path).encoder.name == found.encoder.name


def test_a_sentence_model_that_is_asked_for_is_fetched(
    tmp_path: Path, sentence_model: LetterEncoder, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    monkeypatch.setattr(choice, "find_model", lambda _model: None)
    monkeypatch.setattr(choice, "fetch_model", lambda model: asked.append(model) or tmp_path)
    assert chosen("sentence", tmp_path).encoder is sentence_model
    assert asked == ["all-MiniLM-L6-v2"]


@pytest.mark.usefixtures("sentence_model")
def test_a_sentence_model_without_its_library_is_refused_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(choice, "library_is_installed", lambda: False)
    monkeypatch.setattr(choice, "find_model", lambda _model: pytest.fail("a model was looked for"))
    with pytest.raises(ContentError, match=r"sentence-transformers.*crossrec-pipeline\[text\]"):
        chosen("sentence", tmp_path)
