from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.content.encoders.hashed import (
    HashedConfig,
    HashedEncoder,
    fit,
    open_or_fit,
)
from crossrec_pipeline.content.encoders.hashed_counts import Columns
from crossrec_pipeline.errors import ContentError

CONFIG = HashedConfig(dimension=8, columns=Columns(2**10, 2**10, 3, 4))
SEA = ["A whale hunts a ship", "Sailors hunt the white whale", "The ship and its sailors"]
SPACE = ["A rocket flies to the moon", "Rockets and moons", "Astronauts fly to the moon"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hashed_encoder.safetensors"


def silent(_line: str) -> None:
    pass


def test_vectors_have_length_one_and_at_most_the_wanted_dimensions():
    encoder = fit(SEA + SPACE, CONFIG)
    vectors = encoder.encode(SEA)
    # Six texts differ in five ways at most.
    assert encoder.dimension == 5
    assert vectors.shape == (3, 5)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert fit([f"{text} {n}" for n in range(9) for text in SEA + SPACE], CONFIG).dimension == 8


def test_texts_that_share_words_are_nearer():
    vectors = fit(SEA + SPACE, CONFIG).encode(["The whale of the sailors", *SEA, *SPACE])
    cosines = vectors[1:] @ vectors[0]
    assert cosines[:3].min() > cosines[3:].max() + 0.05


def test_a_new_text_has_the_vector_it_has_among_others():
    encoder = fit(SEA + SPACE, CONFIG)
    both = encoder.encode([*SEA, "a new ship"])
    np.testing.assert_allclose(encoder.encode(["a new ship"])[0], both[3], atol=1e-6)


def test_what_has_no_known_word_is_zero():
    vectors = fit(SEA + SPACE, CONFIG).encode(["", "zzzz", "ship"])
    assert not vectors[:2].any()
    assert vectors[2].any()


@pytest.mark.parametrize("texts", [[], ["alone"], ["whale", "rocket"]])
def test_texts_that_share_nothing_are_all_zero(texts: list[str]):
    encoder = fit(texts, CONFIG)
    vectors = encoder.encode(["whale", *texts])
    assert vectors.shape == (len(texts) + 1, 1)
    assert not vectors.any()


def test_of_many_texts_some_are_drawn():
    texts = [f"{text} {n}" for n in range(20) for text in SEA + SPACE]
    drawn = fit(texts, replace(CONFIG, most_fitted=30))
    assert drawn.n_texts == 120
    np.testing.assert_array_equal(
        drawn.directions, fit(texts, replace(CONFIG, most_fitted=30)).directions
    )
    other = fit(texts, replace(CONFIG, most_fitted=30, seed=1))
    assert drawn.name != other.name
    cosines = drawn.encode(SEA) @ drawn.encode(SPACE).T
    assert cosines.max() < 0.6


def test_the_name_tells_one_map_from_another():
    encoder = fit(SEA + SPACE, CONFIG)
    assert encoder.name == fit(SEA + SPACE, CONFIG).name
    assert encoder.name.startswith("hashed-svd-5@")
    assert encoder.name != fit(SEA + SPACE[:2], CONFIG).name
    assert encoder.name != fit(SEA + SPACE, replace(CONFIG, character_weight=0.1)).name


def test_a_kept_map_is_read_back(path: Path):
    encoder = fit(SEA + SPACE, CONFIG)
    encoder.save(path)
    read = HashedEncoder.open(path)
    assert (read.name, read.config, read.n_texts) == (encoder.name, CONFIG, 6)
    np.testing.assert_array_equal(read.encode(SEA), encoder.encode(SEA))


def test_a_map_is_fitted_once_and_then_taken(path: Path):
    lines: list[str] = []
    first = open_or_fit(SEA + SPACE, path, lines.append, CONFIG)
    assert len(lines) == 1
    # Twelve texts are twice six: still the old map.
    again = open_or_fit((SEA + SPACE) * 2, path, lines.append, CONFIG)
    assert again.name == first.name
    assert len(lines) == 1


@pytest.mark.parametrize("why", ["more than doubled", "made otherwise", "damaged", "format"])
def test_a_map_is_fitted_anew_where_it_must_be(
    path: Path, why: str, monkeypatch: pytest.MonkeyPatch
):
    texts, config = SEA + SPACE, CONFIG
    if why == "format":
        with monkeypatch.context() as patch:
            patch.setattr("crossrec_pipeline.content.encoders.hashed.FORMAT_VERSION", 0)
            open_or_fit(texts, path, silent, CONFIG)
    else:
        open_or_fit(texts, path, silent, CONFIG)
    if why == "more than doubled":
        texts = [*texts, *texts, "one more whale"]
    if why == "made otherwise":
        config = replace(CONFIG, seed=1)
    if why == "damaged":
        path.write_bytes(path.read_bytes()[:40])
    lines: list[str] = []
    encoder = open_or_fit(texts, path, lines.append, config)
    assert lines[0].startswith(f"Fitting the map of hashed words on {len(texts)} items: ")
    assert HashedEncoder.open(path).name == encoder.name == fit(texts, config).name


@pytest.mark.parametrize("content", [b"", b"not a map"])
def test_what_is_no_map_is_refused(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(ContentError, match=r"hashed_encoder\.safetensors cannot be read .*Delete"):
        HashedEncoder.open(path)
    with pytest.raises(ContentError, match="cannot be read"):
        HashedEncoder.open(path.with_name("nobody"))
