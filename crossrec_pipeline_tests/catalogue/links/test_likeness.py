import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.catalogue.links.likeness import likeness


class Vectors:
    def __init__(self, table: dict[str, np.ndarray]) -> None:
        self._table = table

    def rows(self, item_ids) -> tuple[np.ndarray, np.ndarray]:
        ids = list(item_ids)
        nothing = np.zeros(3, np.float32)
        rows = [self._table.get(item_id, nothing) for item_id in ids]
        return np.array(rows, np.float32), np.array([i in self._table for i in ids])


def unit(*values: float) -> np.ndarray:
    return (np.array(values) / np.linalg.norm(values)).astype(np.float32)


ITEMS = pl.DataFrame(
    {"item_id": [f"B{n}" for n in range(6)] + [f"M{n}" for n in range(6)]}
).with_columns(item_type=pl.col("item_id").str.head(1))


def pairs(*rows: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"left": pl.UInt32, "right": pl.UInt32}, orient="row")


def test_it_is_the_standardised_cosine_over_all_pairs_of_the_two_types():
    random = np.random.default_rng(0)
    table = {item_id: unit(*random.normal(size=3)) for item_id in ITEMS["item_id"]}
    found = likeness(ITEMS, pairs((0, 6), (2, 9)), Vectors(table))
    books, films = (
        np.array([vector for item_id, vector in table.items() if item_id[0] == kind])
        for kind in "BM"
    )
    cosines = books @ films.T
    expected = (cosines - cosines.mean()) / cosines.std()
    assert found == pytest.approx([expected[0, 0], expected[2, 3]], abs=1e-4)


def test_an_item_without_an_embedding_has_no_likeness():
    table = {"B0": unit(1, 0, 0), "B1": unit(0, 1, 0), "M0": unit(1, 1, 0)}
    table["M1"] = np.zeros(3, np.float32)
    found = likeness(ITEMS, pairs((0, 6), (0, 7), (2, 6)), Vectors(table))
    assert np.isfinite(found).tolist() == [True, False, False]


def test_no_embeddings_at_all():
    assert np.isnan(likeness(ITEMS, pairs((0, 6)), Vectors({}))).all()
