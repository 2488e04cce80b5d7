import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.neighbours.vsknn import VSKNN
from crossrec_pipeline.serving.engine import dense
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.dense import DenseEngine
from crossrec_pipeline.serving.engine.dense_kernel import best_allowed
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

VOCABULARY = vocabulary_of("Movie_A", "Movie_B", "Music_C", "Music_D", "Book_E")
BOOK, MOVIE, MUSIC = range(3)
# After A: B twice, C once. Counts: A 3, B 3, C 2, D 1, E 1.
TRAIN = SessionStore.from_sequences([[0, 1], [0, 1], [0, 2], [1, 2], [3, 4]])


def _markov() -> Markov:
    model = Markov()
    model.fit(TRAIN, VOCABULARY)
    return model


@pytest.fixture
def engine() -> DenseEngine:
    return DenseEngine(_markov(), VOCABULARY)


def _query(*session: int, **options: object) -> Query:
    return Query(np.array(session, dtype=np.int32), **{"top_k": 3, **options})  # type: ignore[arg-type]


def test_likeliest_next_items_come_first(engine: DenseEngine) -> None:
    assert engine.rank([_query(0)])[0].items.tolist() == [1, 2, 0]


def test_list_is_full_within_the_asked_types(engine: DenseEngine) -> None:
    (answer,) = engine.rank([_query(0, types=(BOOK, MUSIC))])
    assert answer.items.tolist() == [2, 3, 4]


def test_excluded_items_make_room_for_others(engine: DenseEngine) -> None:
    excluded = np.array([2, 1], dtype=np.int32)
    assert engine.rank([_query(0, excluded=excluded)])[0].items.tolist() == [0, 3, 4]


def test_answers_are_in_the_order_of_the_queries(engine: DenseEngine) -> None:
    queries = [_query(0), _query(3, types=(BOOK,)), _query(1, top_k=1)]
    assert [answer.items.tolist() for answer in engine.rank(queries)] == [[1, 2, 0], [4], [2]]
    assert engine.rank([]) == []


def test_influence_is_what_leaving_an_event_out_changes() -> None:
    model = VSKNN()
    model.fit(TRAIN, VOCABULARY)
    engine = DenseEngine(model, VOCABULARY)
    session = np.array([3, 0, 1], dtype=np.int32)
    answers = engine.rank([_query(*session.tolist(), wants_influence=True), _query(1)])
    influence, items = answers[0].influence, answers[0].items
    assert influence is not None
    whole = model.score([session])[0, items]
    for place in range(3):
        without = model.score([np.delete(session, place)])[0, items]
        np.testing.assert_allclose(influence[:, place], whole - without, atol=1e-6)
    assert answers[1].influence is None


def test_only_event_has_all_the_influence(engine: DenseEngine) -> None:
    (answer,) = engine.rank([_query(0, wants_influence=True)])
    np.testing.assert_array_equal(answer.influence, np.ones((3, 1)))


def test_influence_is_computed_of_the_last_events_only(
    engine: DenseEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "MOST_INFLUENCES", 1)
    (answer,) = engine.rank([_query(1, 2, 0, wants_influence=True)])
    assert answer.influence is not None
    assert (answer.influence[:, :2] == 0).all()
    assert answer.influence[0, 2] > 0  # B follows A


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.sampled_from([-5.0, -1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=40),
    k=st.integers(1, 50),
    types=st.sets(st.integers(0, 2)),
    excluded=st.sets(st.integers(0, 39)),
)
def test_best_are_those_of_sorting(
    scores: list[float], k: int, types: set[int], excluded: set[int]
) -> None:
    values = np.array(scores, dtype=np.float32)
    codes = (np.arange(len(values)) % 3).astype(np.int8)
    out = np.array(sorted(excluded), dtype=np.int32)
    items, best = best_allowed(values, k, codes, np.isin(np.arange(3), list(types)), out)
    allowed = np.isin(codes, list(types)) & ~np.isin(np.arange(len(values)), out)
    wanted, wanted_values = top_k(values[None], k, allowed)
    np.testing.assert_array_equal(items, wanted[0])
    np.testing.assert_array_equal(best, wanted_values[0])


def test_scores_that_are_no_numbers_are_left_out() -> None:
    scores = np.array([np.nan, 1, np.nan, 2], dtype=np.float32)
    codes, nothing = np.zeros(4, dtype=np.int8), np.zeros(0, dtype=np.int32)
    items, _ = best_allowed(scores, 4, codes, np.ones(1, dtype=np.bool_), nothing)
    assert items.tolist() == [3, 1]
