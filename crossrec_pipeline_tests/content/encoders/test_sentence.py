"""The sentence model itself is tried where the extra is installed; CI does not install it."""

import builtins
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.content.encoders.sentence import SentenceEncoder
from crossrec_pipeline.content.encoders.sentence_models import find_model
from crossrec_pipeline.errors import ContentError

MODEL = "all-MiniLM-L6-v2"
needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None or find_model(MODEL) is None,
    reason=f"the extra `text`, or its model {MODEL}, is not installed",
)


def encoder_of(folder: Path, **options: int) -> SentenceEncoder:
    return SentenceEncoder(folder, MODEL, device="cpu", **options)


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    folder = find_model(MODEL)
    assert folder is not None
    return encoder_of(folder)


def test_without_the_library_what_to_install_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    load = builtins.__import__

    def missing(name: str, *arguments: object) -> object:
        if name == "sentence_transformers":
            raise ImportError("No module named 'sentence_transformers'")
        return load(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ContentError, match=r"pip install 'crossrec-pipeline\[text\]'"):
        encoder_of(tmp_path)


@needs_extra
def test_a_folder_that_holds_no_model_is_named(tmp_path: Path):
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(ContentError, match=rf"CROSSREC_CONTENT__MODEL.*{tmp_path} holds no"):
        encoder_of(tmp_path)


@needs_extra
def test_vectors_are_of_length_one_and_near_for_like_meaning(encoder: SentenceEncoder):
    texts = [
        "A crew flies to Mars.",
        "Astronauts travel to another planet.",
        "She bakes bread with her grandmother.",
    ]
    vectors = encoder.encode(texts)
    assert vectors.shape == (3, encoder.dimension) == (3, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert encoder.encode([]).shape == (0, 384)


@needs_extra
def test_the_order_of_texts_is_kept_whatever_their_length(encoder: SentenceEncoder):
    texts = ["word " * n for n in (40, 1, 20, 3)]
    together = encoder.encode(texts)
    apart = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, apart, atol=1e-5)


@needs_extra
def test_threads_of_torch_are_as_before(encoder: SentenceEncoder):
    import torch

    n_threads = torch.get_num_threads()
    encoder.encode(["one", "two"])
    assert torch.get_num_threads() == n_threads


@needs_extra
def test_no_more_tokens_are_read_than_wanted_and_the_name_says_so(encoder: SentenceEncoder):
    assert encoder.name.endswith("/128")
    folder = find_model(MODEL)
    assert folder is not None
    short = encoder_of(folder, max_tokens=8)
    assert short.name.removesuffix("/8") == encoder.name.removesuffix("/128")
    vectors = short.encode(["one two three four five six", "one two three four five six seven"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    # The model itself reads no more than 256.
    assert encoder_of(folder, max_tokens=9999).name.endswith("/256")
