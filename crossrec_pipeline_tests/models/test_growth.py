"""Which new items a model takes up, and what it is afterwards."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.additions import Additions
from crossrec_pipeline.models.growth import (
    BY_IDS_ALONE,
    NOTHING_TO_GO_BY,
    UNKNOWN_TYPE,
    NewItems,
    find_new_items,
    grow,
)
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.settings import ContentPart
from crossrec_pipeline_tests.models.contents import Texts, content, vocabulary
from crossrec_pipeline_tests.models.contents import catalogue as known_catalogue

N_ITEMS = 24
VOCABULARY = vocabulary(N_ITEMS)
SOME = [np.array([3, 4], np.int32), np.array([7], np.int32)]


def _fitted(*parts: ContentPart) -> GRU4Rec:
    config = GRU4RecConfig(hidden_size=8, epochs=1, content=parts, device="cpu")
    model = GRU4Rec(config, progress_bar=False, content=content(N_ITEMS))
    rng = np.random.default_rng(0)
    walks = [(rng.integers(N_ITEMS) + np.arange(5)) % N_ITEMS for _ in range(60)]
    model.fit(SessionStore.from_sequences([walk.tolist() for walk in walks]), VOCABULARY)
    return model


@pytest.fixture(scope="module")
def model() -> GRU4Rec:
    return _fitted("type", "text", "genres", "creators")


def _new(item_id: str, **values: object) -> pl.DataFrame:
    row = {
        "item_id": item_id,
        "item_type": "Book",
        "genres": ["Unheard of"],
        "creators": ["nobody"],
        "imputed": [],
        **values,
    }
    return pl.DataFrame([row], schema=known_catalogue(1).schema)


def _catalogue(*new: pl.DataFrame) -> pl.DataFrame:
    """Known items and new ones; item_type as DuckDB gives it."""
    frame = pl.concat([known_catalogue(N_ITEMS), *new])
    return frame.with_columns(
        pl.col("item_id").alias("title"),
        pl.col("item_type").cast(pl.Enum(["Book", "Game", "Movie"])),
    )


def _texts(*item_ids: str, encoder: str = "by hand") -> Texts:
    return Texts({"i1": np.ones(6), **dict.fromkeys(item_ids, np.ones(6))}, encoder)


def _found(model, *new: pl.DataFrame, text: Texts | None = None) -> NewItems:
    return find_new_items(model, VOCABULARY, _catalogue(*new), text or _texts())


def test_a_catalogue_without_new_items_adds_nothing(model: GRU4Rec):
    found = _found(model, text=_texts(encoder="another, which does not matter"))

    assert found.additions.n_items == 0
    assert found.left_out == {}


@pytest.mark.parametrize(
    "new",
    [
        _new("n", genres=["crime "], imputed=["creators"]),
        _new("n", creators=["Creator 2"], genres=[]),
        _new("n with text"),
    ],
    ids=["genre", "creator", "text"],
)
def test_one_thing_to_go_by_is_enough(model: GRU4Rec, new: pl.DataFrame):
    found = _found(model, new, text=_texts("n with text"))

    assert found.additions.items["item_id"].to_list() == new["item_id"].to_list()
    assert found.left_out == {}


@pytest.mark.parametrize(
    "new",
    [
        _new("n"),
        _new("n", genres=["Crime"], creators=["creator 2"], imputed=["genres", "creators"]),
        _new("n with an empty text"),
    ],
    ids=["unheard of", "filled in", "zeros"],
)
def test_an_item_with_nothing_to_go_by_is_left_out(model: GRU4Rec, new: pl.DataFrame):
    text = Texts({"n with an empty text": np.zeros(6)})

    found = _found(model, new, text=text)

    assert found.additions.n_items == 0
    assert found.left_out == {NOTHING_TO_GO_BY: 1}


def test_only_what_the_model_reads_counts():
    model = _fitted("type", "creators")
    by_genre, by_creator = _new("g", genres=["Crime"]), _new("c", creators=["creator 1"])

    found = _found(model, by_genre, by_creator, text=_texts("g", encoder="another"))

    assert found.additions.items["item_id"].to_list() == ["c"]
    assert found.left_out == {NOTHING_TO_GO_BY: 1}


def test_items_of_other_types_are_left_out_and_the_rest_ordered_by_id(model: GRU4Rec):
    new = [_new("z", item_type="Movie"), _new("g", item_type="Game"), _new("a")]

    found = _found(model, *new, text=_texts("z", "g", "a"))

    assert found.additions.items["item_id"].to_list() == ["a", "z"]
    assert found.additions.by_type == {"Book": 1, "Movie": 1}
    assert found.left_out == {UNKNOWN_TYPE: 1}


def test_each_item_has_its_own_rows(model: GRU4Rec):
    one, other = _new("a", genres=["Crime"]), _new("b", genres=["War"])
    nothing = _new("ab")

    both = _found(model, one, nothing, other).additions
    alone = _found(model, other).additions

    np.testing.assert_allclose(both.vectors[1], alone.vectors[0], atol=1e-6)
    np.testing.assert_allclose(both.bias[1], alone.bias[0], atol=1e-6)
    assert np.abs(both.vectors[0] - both.vectors[1]).max() > 1e-4


def test_a_boost_makes_all_new_items_more_likely_and_changes_nothing_else(model: GRU4Rec):
    new = [_new("a", genres=["Crime"]), _new("b", genres=["War"])]
    plain = _found(model, *new).additions

    boosted = find_new_items(model, VOCABULARY, _catalogue(*new), _texts(), boost=0.7).additions

    np.testing.assert_allclose(boosted.bias, plain.bias + 0.7, rtol=1e-6)
    np.testing.assert_array_equal(boosted.vectors, plain.vectors)
    np.testing.assert_array_equal(boosted.weight, plain.weight)


def test_texts_of_another_encoder_are_refused_with_the_remedy(model: GRU4Rec):
    with pytest.raises(TrainingError, match=r"by hand, and there are .*CROSSREC_CONTENT__ENCODER"):
        _found(model, _new("n", genres=["Crime"]), text=_texts("n", encoder="another"))


@pytest.mark.parametrize("kind", ["of ids", "without vectors"])
def test_a_model_that_goes_by_ids_alone_takes_nothing_up(kind: str):
    model = _fitted() if kind == "of ids" else Markov()

    found = _found(model, _new("n", genres=["Crime"]))

    assert found.additions.n_items == 0
    assert found.left_out == {BY_IDS_ALONE: 1}


def test_a_grown_model_scores_more_items_and_the_others_as_before(model: GRU4Rec):
    found = _found(model, _new("a", genres=["Crime"]), _new("b", genres=["War"]))

    grown, more = grow(model, VOCABULARY, found.additions)

    assert more.item_ids[N_ITEMS:] == ["a", "b"]
    scores = grown.score(SOME)
    assert scores.shape == (2, N_ITEMS + 2)
    np.testing.assert_allclose(scores[:, :N_ITEMS], model.score(SOME), atol=1e-6)
    assert VOCABULARY.n_items == N_ITEMS
    assert model.score(SOME).shape == (2, N_ITEMS)


def test_a_grown_model_is_kept_and_may_grow_again(model: GRU4Rec, tmp_path: Path):
    grown, more = grow(model, VOCABULARY, _found(model, _new("a", genres=["Crime"])).additions)
    grown.save_weights(tmp_path / "w")

    again = GRU4Rec.restore(grown.config(), tmp_path / "w", more)
    found = find_new_items(again, more, _catalogue(_new("a"), _new("b", genres=["War"])), _texts())

    assert np.array_equal(again.score(SOME), grown.score(SOME))
    assert found.additions.items["item_id"].to_list() == ["b"]


def test_a_model_without_vectors_cannot_grow():
    with pytest.raises(TrainingError, match="kind markov cannot take up"):
        grow(Markov(), VOCABULARY, Additions.none())
