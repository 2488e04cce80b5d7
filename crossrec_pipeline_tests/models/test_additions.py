from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.additions import ITEM_COLUMNS, Additions


def additions(bias: float = 0.5) -> Additions:
    items = pl.DataFrame(
        {
            "item_id": ["Book_A", "Book_B", "Movie_C"],
            "item_type": ["Book", "Book", "Movie"],
            "title": ["A", "B", "C"],
            "creators": [["Ann"], [], ["Bo", "Cy"]],
            "genres": [[], ["Crime"], []],
            "linked": [[7, 12], [], [10]],
        },
        schema=ITEM_COLUMNS,
    )
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    return Additions(vectors, vectors + 10, np.array([bias, 1, 2], np.float32), items)


def test_what_was_saved_is_opened(tmp_path: Path):
    path, saved = tmp_path / "additions.parquet", additions()
    saved.save(path)

    found = Additions.open(path, saved.version)

    assert found.items.equals(saved.items)
    for name in ("vectors", "weight", "bias"):
        assert getattr(found, name).dtype == np.float32
        assert np.array_equal(getattr(found, name), getattr(saved, name))


def test_the_file_says_what_it_holds(tmp_path: Path):
    additions().save(tmp_path / "a.parquet")

    frame = pl.read_parquet(tmp_path / "a.parquet")

    assert frame.columns == [*ITEM_COLUMNS, "input_vector", "output_vector", "bias"]
    assert frame["output_vector"][1].to_list() == [12, 13]


def test_items_are_counted_by_type():
    assert additions().by_type == {"Book": 2, "Movie": 1}
    assert Additions.none().by_type == {}
    assert Additions.none().n_items == 0


def test_other_numbers_are_another_version():
    assert additions().version == additions().version
    assert additions().version != additions(0.25).version


def test_a_file_of_other_content_is_refused(tmp_path: Path):
    path = tmp_path / "a.parquet"
    additions(0.25).save(path)

    with pytest.raises(BundleError, match=r"a\.parquet holds .* it was altered\. Delete the"):
        Additions.open(path, additions().version)


@pytest.mark.parametrize("content", [b"PAR1 no", None])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None):
    path = tmp_path / "a.parquet"
    if content is None:
        additions().frame.drop("bias").write_parquet(path)
    else:
        path.write_bytes(content)

    with pytest.raises(BundleError, match=r"a\.parquet cannot be read"):
        Additions.open(path, additions().version)
