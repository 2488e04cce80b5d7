from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.content.embeddings import ItemEmbeddings
from crossrec_pipeline.serving import similar
from crossrec_pipeline.serving.similar import SIMILAR, read_similar, similar_items, write_similar
from crossrec_pipeline_tests.serving.on_a_circle import embeddings_of

PLACES = (("Movie_A", 0), ("Movie_B", 50), ("Book_C", 20), ("Book_D", 10), ("Music_E", None))


def near(embeddings: ItemEmbeddings) -> dict[str, list[str]]:
    return dict(similar_items(embeddings).iter_rows())


def test_the_nearest_come_by_type_and_an_item_without_words_has_none_and_is_nones():
    assert near(embeddings_of(*PLACES)) == {
        "Movie_A": ["Book_D", "Book_C", "Movie_B"],
        "Movie_B": ["Book_C", "Book_D", "Movie_A"],
        "Book_C": ["Book_D", "Movie_A", "Movie_B"],
        "Book_D": ["Book_C", "Movie_A", "Movie_B"],
        "Music_E": [],
    }


def test_no_more_of_a_type_are_told_than_are_shown():
    found = near(embeddings_of(*((f"Book_{n}", n) for n in range(6))))
    assert found["Book_0"] == ["Book_1", "Book_2", "Book_3"]


def test_without_items_nothing_is_near():
    assert similar_items(embeddings_of()).schema == pl.Schema(SIMILAR)


def test_what_is_kept_is_read_back(tmp_path: Path):
    assert read_similar(tmp_path).schema == pl.Schema(SIMILAR)
    embeddings = embeddings_of(*PLACES)
    write_similar(embeddings, tmp_path)
    assert read_similar(tmp_path).equals(similar_items(embeddings))


def test_neighbours_of_the_same_embeddings_are_not_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_similar(embeddings_of(*PLACES), tmp_path)
    looked_for: list[ItemEmbeddings] = []

    def find(embeddings: ItemEmbeddings) -> pl.DataFrame:
        looked_for.append(embeddings)
        return similar_items(embeddings)

    monkeypatch.setattr(similar, "similar_items", find)
    write_similar(embeddings_of(*PLACES), tmp_path)
    assert looked_for == []
    others = embeddings_of(*PLACES[:3])
    write_similar(others, tmp_path)
    assert looked_for == [others]
    assert read_similar(tmp_path).height == 3


@pytest.mark.parametrize("damage", [b"", b"PAR1 no"])
def test_damaged_ones_are_found_again(tmp_path: Path, damage: bytes):
    path = write_similar(embeddings_of(*PLACES), tmp_path)
    path.write_bytes(damage)
    write_similar(embeddings_of(*PLACES), tmp_path)
    assert read_similar(tmp_path).height == len(PLACES)
