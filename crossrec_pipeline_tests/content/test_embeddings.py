from contextlib import nullcontext
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.content import embeddings, unfinished
from crossrec_pipeline.content.embeddings import Embedded, ItemEmbeddings, embed_items
from crossrec_pipeline.content.texts import TEXTS
from crossrec_pipeline.errors import ContentError
from crossrec_pipeline_tests.content.letter_encoder import LetterEncoder

WORDS = {"Movie_A": "abba", "Music_B": "bee", "Book_C": "see", "Book_D": "sea"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "content" / "embeddings.parquet"


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_BLOCK", 1)


def texts_of(words: dict[str, str]) -> pl.DataFrame:
    rows = [(item_id, item_id.partition("_")[0], text) for item_id, text in words.items()]
    return pl.DataFrame(rows, schema=TEXTS, orient="row")


def embedded(words: dict[str, str], encoder: LetterEncoder, path: Path) -> Embedded:
    return embed_items(texts_of(words), encoder, path, lambda _line: None)


def _no_more(*_: object) -> None:
    raise OSError(28, "No space left on device")


def left_beside(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir() if other != path)


def test_every_item_has_the_vector_of_its_text(path: Path):
    done = embedded(WORDS, LetterEncoder(), path)
    vectors, found = done.embeddings.rows(["Music_B", "Movie_Z", "Movie_A", "Music_B"])
    np.testing.assert_array_equal(found, [True, False, True, True])
    # "bee": one b, two e.
    np.testing.assert_allclose(vectors[0, [1, 4]], [1 / 5**0.5, 2 / 5**0.5])
    np.testing.assert_array_equal(vectors[1], 0)
    np.testing.assert_array_equal(vectors[3], vectors[0])
    assert vectors.dtype == np.float32
    assert (done.n_encoded, done.n_gone, done.n_empty) == (4, 0, 0)
    assert left_beside(path) == []


def test_nothing_asked_for_is_nothing_found(path: Path):
    vectors, found = embedded(WORDS, LetterEncoder(), path).embeddings.rows([])
    assert (vectors.shape, found.shape) == ((0, 26), (0,))


def test_what_is_written_is_read_back(path: Path):
    written = embedded(WORDS, LetterEncoder(), path).embeddings
    read = ItemEmbeddings.open(path)
    assert (read.item_ids, read.encoder) == (list(WORDS), "letters@1")
    assert read.item_types == ["Movie", "Music", "Book", "Book"]
    np.testing.assert_array_equal(read.vectors, written.vectors)
    assert read.version == written.version
    columns = pl.read_parquet(path)
    assert columns.schema["vector"] == pl.Array(pl.Float32, 26)
    assert columns.columns == ["item_id", "item_type", "digest", "vector"]


def test_only_what_is_new_or_changed_is_encoded(path: Path):
    embedded(WORDS, LetterEncoder(), path)
    encoder = LetterEncoder()
    changed = {"Book_E": "eel", **WORDS, "Book_C": "sigh"}
    del changed["Movie_A"]
    done = embedded(changed, encoder, path)
    assert encoder.encoded == ["eel", "sigh"]
    assert (done.n_encoded, done.n_gone) == (2, 1)
    assert done.embeddings.item_ids == list(changed)
    fresh = LetterEncoder().encode(list(changed.values()))
    np.testing.assert_array_equal(ItemEmbeddings.open(path).vectors, fresh)


def test_equal_texts_are_not_encoded_again_and_have_the_same_version(path: Path):
    before = embedded(WORDS, LetterEncoder(), path).embeddings
    encoder = LetterEncoder()
    again = embedded(dict(reversed(WORDS.items())), encoder, path)
    assert (encoder.encoded, again.n_encoded) == ([], 0)
    assert again.embeddings.version == before.version


@pytest.mark.parametrize(
    ("words", "name"),
    [({**WORDS, "Book_D": "tea"}, "letters@1"), (WORDS, "letters@2"), ({}, "letters@1")],
)
def test_other_texts_or_another_encoder_are_another_version(
    path: Path, words: dict[str, str], name: str
):
    before = embedded(WORDS, LetterEncoder(), path).embeddings.version
    assert embedded(words, LetterEncoder(name), path).embeddings.version != before


def test_another_encoder_embeds_all_anew(path: Path):
    embedded(WORDS, LetterEncoder(), path)
    encoder = LetterEncoder("letters@2")
    assert embedded(WORDS, encoder, path).n_encoded == 4
    assert encoder.encoded == list(WORDS.values())


def test_items_of_one_text_are_encoded_once(path: Path):
    encoder = LetterEncoder()
    done = embedded({"Music_A": "la la", "Music_B": "la la", "Music_C": "lo"}, encoder, path)
    assert encoder.encoded == ["la la", "lo"]
    assert done.n_encoded == 3
    np.testing.assert_array_equal(done.embeddings.vectors[0], done.embeddings.vectors[1])
    assert done.embeddings.vectors[1].any()


def test_an_item_without_text_has_a_zero_vector_and_is_not_encoded(path: Path):
    encoder = LetterEncoder()
    done = embedded({"Movie_A": "", "Movie_B": "b"}, encoder, path)
    assert encoder.encoded == ["b"]
    assert (done.n_empty, done.n_encoded) == (1, 1)
    vectors, found = done.embeddings.rows(["Movie_A"])
    assert found.all()
    assert not vectors.any()


def test_without_items_there_are_no_vectors(path: Path):
    assert embedded({}, LetterEncoder(), path).embeddings.vectors.shape == (0, 26)
    assert ItemEmbeddings.open(path).vectors.shape == (0, 26)


@pytest.mark.usefixtures("one_by_one")
def test_what_was_encoded_before_an_interruption_is_not_encoded_again(path: Path):
    with pytest.raises(KeyboardInterrupt):
        embedded(WORDS, LetterEncoder(breaks_after=3), path)
    assert not path.exists()
    assert left_beside(path) == ["embeddings.unfinished"]
    encoder = LetterEncoder()
    done = embedded(WORDS, encoder, path)
    assert encoder.encoded == ["sea"]
    assert done.n_encoded == 1
    np.testing.assert_array_equal(
        done.embeddings.vectors, LetterEncoder().encode(list(WORDS.values()))
    )
    assert left_beside(path) == []


@pytest.mark.usefixtures("one_by_one")
def test_an_interruption_leaves_the_embeddings_before_as_they_were(path: Path):
    before = embedded({"Movie_A": "abba"}, LetterEncoder(), path).embeddings
    with pytest.raises(KeyboardInterrupt):
        embedded(WORDS, LetterEncoder(breaks_after=1), path)
    assert ItemEmbeddings.open(path).version == before.version


@pytest.mark.usefixtures("one_by_one")
def test_interrupted_twice_nothing_is_lost(path: Path):
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            embedded(WORDS, LetterEncoder(breaks_after=1), path)
    encoder = LetterEncoder()
    embedded(WORDS, encoder, path)
    assert encoder.encoded == ["see", "sea"]


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("damage", ["another encoder", "torn"])
def test_what_is_of_no_use_is_deleted_and_encoded_again(path: Path, damage: str):
    with pytest.raises(KeyboardInterrupt):
        embedded(WORDS, LetterEncoder(breaks_after=3), path)
    (kept,) = (path.parent / "embeddings.unfinished").iterdir()
    if damage == "torn":
        kept.write_bytes(kept.read_bytes()[:-5])
    encoder = LetterEncoder("letters@2" if damage == "another encoder" else "letters@1")
    assert embedded(WORDS, encoder, path).n_encoded == 4
    assert encoder.encoded == list(WORDS.values())


@pytest.mark.usefixtures("one_by_one")
def test_a_killed_process_loses_only_the_last_of_its_work(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(unfinished, "_SECONDS_AT_STAKE", -1.0)
    # A killed process does not come to keep anything when it ends.
    monkeypatch.setattr(unfinished.UnfinishedVectors, "removed_when_done", lambda _: nullcontext())
    monkeypatch.setattr(ItemEmbeddings, "save", _no_more)
    with pytest.raises(OSError, match="No space"):
        embedded(WORDS, LetterEncoder(), path)
    monkeypatch.undo()
    encoder = LetterEncoder()
    assert embedded(WORDS, encoder, path).n_encoded == 0


def test_a_failed_write_keeps_what_was_encoded(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ItemEmbeddings, "save", _no_more)
    with pytest.raises(OSError, match="No space"):
        embedded(WORDS, LetterEncoder(), path)
    monkeypatch.undo()
    encoder = LetterEncoder()
    embedded(WORDS, encoder, path)
    assert encoder.encoded == []


def test_damaged_embeddings_are_made_anew_and_said_to_be(path: Path):
    embedded(WORDS, LetterEncoder(), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ContentError, match=r"embeddings\.parquet cannot be read"):
        ItemEmbeddings.open(path)
    lines: list[str] = []
    done = embed_items(texts_of(WORDS), LetterEncoder(), path, lines.append)
    assert done.n_encoded == 4
    assert "cannot be read as embeddings" in lines[0]
    assert ItemEmbeddings.open(path).n_items == 4


@pytest.mark.usefixtures("one_by_one")
def test_progress_is_told_now_and_then(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embeddings, "_SECONDS_BETWEEN_LINES", -1.0)
    lines: list[str] = []
    embed_items(texts_of(WORDS), LetterEncoder(), path, lines.append)
    assert [line.partition(" texts")[0] for line in lines] == [f"{n} of 4" for n in (1, 2, 3, 4)]


@settings(max_examples=30)
@given(
    first=st.dictionaries(st.sampled_from("abcdef"), st.text("xyz", max_size=2)),
    second=st.dictionaries(st.sampled_from("abcdef"), st.text("xyz", max_size=2)),
)
def test_bringing_up_to_date_gives_what_embedding_anew_gives(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, str], second: dict[str, str]
):
    folder = tmp_path_factory.mktemp("embeddings")
    embedded(first, LetterEncoder(), folder / "a.parquet")
    encoder = LetterEncoder()
    updated = embedded(second, encoder, folder / "a.parquet").embeddings
    anew = embedded(second, LetterEncoder(), folder / "b.parquet").embeddings
    assert updated.version == anew.version
    np.testing.assert_array_equal(updated.vectors, anew.vectors)
    assert set(encoder.encoded) == set(second.values()) - set(first.values()) - {""}
