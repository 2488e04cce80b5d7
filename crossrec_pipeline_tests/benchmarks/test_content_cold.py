import importlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.models.additions import Additions
from crossrec_pipeline.models.growth import NewItems
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.models.contents import Texts
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

FOLDER = Path(__file__).parents[2] / "benchmarks"
KNOWN = [f"Book_{i}" for i in range(30)]
RARE, NEW = "Book_rare", "Movie_new"
VOCABULARY = vocabulary_of(*KNOWN)
STORE = SessionStore.from_sequences([[0, 1, 2], [3, 4]])
LEFT, UP = np.array([1.0, 0.0]), np.array([0.0, 1.0])


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("content_cold")


def _log(cold: Any, *later: list[str]) -> Any:
    items = pl.DataFrame({"item_id": [*KNOWN, RARE, NEW]}).with_columns(
        item_type=pl.col("item_id").str.split("_").list.first()
    )
    dataset = SessionDataset(STORE, STORE, STORE, VOCABULARY)
    return cold.Log("tiny", items, dataset, list(later), {*KNOWN, RARE})


class _Grown:
    """Scores known items by their number, whatever the session was, and new ones by their bias."""

    def __init__(self, bias: np.ndarray) -> None:
        self._scores = np.concatenate([np.arange(len(KNOWN), dtype=np.float32), bias])

    def score(self, sessions: list[np.ndarray]) -> np.ndarray:
        return np.tile(self._scores, (len(sessions), 1))


ADDITIONS = Additions(
    np.zeros((2, 1), np.float32),
    np.zeros((2, 1), np.float32),
    # The rare item is between the two best known ones, and the new one where a bad one is.
    np.array([28.5, 10], np.float32),
    pl.DataFrame({"item_id": [RARE, NEW], "item_type": ["Book", "Movie"]}),
)


@pytest.fixture
def takes_up(cold: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model that takes both unknown items up."""

    def grow(model: object, vocabulary: Vocabulary, additions: Additions) -> tuple[_Grown, None]:
        return _Grown(additions.bias), None

    monkeypatch.setattr(cold, "find_new_items", lambda *_: NewItems(ADDITIONS, {}))
    monkeypatch.setattr(cold, "grow", grow)
    return object()


def _texts() -> Texts:
    """The rare item is the nearest of the first; two others are as near as the new one is."""
    vectors = dict.fromkeys([*KNOWN, RARE, NEW], np.zeros(2))
    vectors |= {KNOWN[0]: LEFT, RARE: 2 * LEFT}
    vectors |= {KNOWN[1]: UP, KNOWN[2]: UP, NEW: UP, KNOWN[3]: 9 * UP}
    return Texts(vectors)


def test_a_model_of_ids_alone_finds_none(cold: Any):
    model = GRU4Rec(GRU4RecConfig(hidden_size=4, epochs=1, device="cpu"), progress_bar=False)
    model.fit(STORE, VOCABULARY)

    assert list(cold.measure_cold(model, _log(cold, [KNOWN[0], NEW]), _texts())) == []


def test_sessions_without_unknown_items_ask_for_nothing(cold: Any, takes_up: Any):
    later = [KNOWN[0], KNOWN[1]], [NEW, KNOWN[1]], ["Movie_of another catalogue", NEW]

    assert list(cold.measure_cold(takes_up, _log(cold, *later), _texts())) == []


def test_figures_by_hand(cold: Any, takes_up: Any):
    log = _log(cold, [KNOWN[0], RARE], [KNOWN[0], KNOWN[1], NEW], [KNOWN[5], RARE])

    found = list(cold.measure_cold(takes_up, log, _texts(), boosts=(0, 15)))

    names = ("content alone, boost 0", "content alone, boost 15", "nearest texts")
    groups = ("never seen before test", "too seldom in train", "known")
    assert [(row.model, row.group) for row in found] == [(m, g) for m in names for g in groups]
    assert [row.n for row in found] == [1, 2, 1] * 3
    assert {(row.chance, row.chance_among_new) for row in found} == {(20 / 32, 1)}
    assert [row.among_new for row in found] == [1, 1, None] * 3
    figures = [(row.recall, pytest.approx(row.mrr)) for row in found]
    # The new item is behind 20 known ones, one of them as good as it is, and the rare one; the rare
    # one is behind the best. Of known ones item 1 was asked for, the last but one.
    assert figures[:3] == [(0, 0), (1, 1 / 2), (0, 0)]
    # With 15 more the new one is behind items 25 to 29 and the rare one, which is the first.
    assert figures[3:6] == [(1, 1 / 7), (1, 1), (0, 0)]
    assert [row.places for row in found[:6]] == [1 / 20] * 3 + [2 / 20] * 3
    # After items 0 and 1, the later one weighing more: item 3, the rare one with 2 · 0.8, and then
    # items 1 and 2, which are as near as the new one: its rank is 5. After item 0 the rare one is
    # first; item 5 says nothing, so that all 32 items are as near.
    assert figures[6:] == [(1, 1 / 5), (0.5, 0.5), (0, 0)]


def test_ties_count_against_the_target(cold: Any):
    scores = np.array([[3, 1, 3, 3, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]], dtype=np.float32)

    # The last two are new.
    found = cold._ranked([np.array([0])] * 3, np.array([0, 1, 4]), 3, lambda some: scores)

    assert found.rank.tolist() == [3, 5, 1]
    assert found.rank_among_new.tolist() == [1, 2, 1]
    assert found.n_new.tolist() == [2, 2, 2]


def test_predictions_pass_over_items_of_other_catalogues(cold: Any):
    contexts, target = cold.predictions([["a", "x", "c", "b"], ["x", "a"], []], ["a", "b", "c"])

    assert [context.tolist() for context in contexts] == [[0], [0, 2]]
    assert target.tolist() == [2, 1]
