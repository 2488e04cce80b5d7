from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.registry import load_bundle, save_bundle
from crossrec_pipeline.serving.engine import gru4rec
from crossrec_pipeline.serving.engine.base import Engine, Query, Ranking
from crossrec_pipeline.serving.engine.load import load_engine, prepare_engine
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

N_ITEMS = 30
VOCABULARY = vocabulary_of(*(f"{'Movie' if i % 3 else 'Book'}_{i}" for i in range(N_ITEMS)))
BOOK, MOVIE = 0, 1
CONFIGS = {
    "default": GRU4RecConfig(hidden_size=12, epochs=1, device="cpu"),
    "one-hot, two layers": GRU4RecConfig(
        embedding="none", hidden_size=6, n_layers=2, epochs=1, device="cpu"
    ),
    "separate, no skip connection": GRU4RecConfig(
        embedding="separate",
        embedding_dim=5,
        hidden_size=9,
        skip_connection=False,
        epochs=1,
        device="cpu",
    ),
}
Made = tuple[Engine, GRU4Rec]


def _make(config: GRU4RecConfig, folder: Path) -> Made:
    generator = np.random.default_rng(0)
    train = [generator.integers(0, N_ITEMS, 6).tolist() for _ in range(200)]
    model = GRU4Rec(config, progress_bar=False)
    model.fit(SessionStore.from_sequences(train), VOCABULARY)
    bundle = save_bundle(model, VOCABULARY, folder / "models", inputs={})
    prepare_engine(bundle.path, folder / "engine")
    loaded = load_bundle(bundle.path).model
    assert isinstance(loaded, GRU4Rec)
    return load_engine(bundle.path, folder / "engine")[0], loaded


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=list(CONFIGS))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return _make(request.param, tmp_path_factory.mktemp("gru4rec"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return _make(CONFIGS["default"], tmp_path_factory.mktemp("default"))[0]


def _query(*session: int, **options: object) -> Query:
    return Query(np.array(session, dtype=np.int32), **{"top_k": 10, **options})  # type: ignore[arg-type]


def _assert_equal(answer: Ranking, other: Ranking) -> None:
    np.testing.assert_array_equal(answer.items, other.items)
    np.testing.assert_array_equal(answer.scores, other.scores)
    assert answer.state == other.state


def test_answers_are_those_of_the_models_scores(made: Made) -> None:
    engine, model = made
    sessions = [[3], [1, 2, 3, 4, 5], [7, 7], [29, 0, 14]]
    answers = engine.rank([_query(*session) for session in sessions])
    scores = model.score([np.array(session, dtype=np.int32) for session in sessions])
    items, best = top_k(scores, 10)
    for answer, wanted, values in zip(answers, items, best, strict=True):
        np.testing.assert_array_equal(answer.items, wanted)
        np.testing.assert_allclose(answer.scores, values, rtol=1e-5, atol=1e-5)


def test_filters_apply_to_the_ranking_and_lists_stay_full(made: Made) -> None:
    engine, model = made
    query = _query(1, 2, types=(BOOK,), excluded=np.array([0, 27, 1], dtype=np.int32), top_k=8)
    (answer,) = engine.rank([query])
    allowed = VOCABULARY.type_codes == BOOK  # ten books: 0, 3, … 27
    allowed[[0, 27]] = False
    items, _ = top_k(model.score([query.session]), 8, allowed)
    np.testing.assert_array_equal(answer.items, items[0])


@settings(max_examples=30, deadline=None)
@given(
    sessions=st.lists(
        st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=8), min_size=1, max_size=9
    )
)
def test_answer_does_not_depend_on_the_other_queries(
    engine: Engine, sessions: list[list[int]]
) -> None:
    queries = [_query(*session, wants_state=True) for session in sessions]
    for query, answer in zip(queries, engine.rank(queries), strict=True):
        _assert_equal(engine.rank([query])[0], answer)


@pytest.mark.parametrize("n_before", [1, 3, 5])
def test_session_goes_on_from_a_token_with_the_same_answer(made: Made, n_before: int) -> None:
    engine, _ = made
    session = (4, 8, 15, 16, 23)
    (before,) = engine.rank([_query(*session[:n_before], wants_state=True)])
    (resumed,) = engine.rank([_query(*session, state=before.state, wants_state=True)])
    _assert_equal(resumed, engine.rank([_query(*session, wants_state=True)])[0])


def test_events_that_a_token_stands_for_are_not_read_again(engine: Engine) -> None:
    (before,) = engine.rank([_query(4, 8, wants_state=True)])
    assert before.state is not None
    # The same token with other states gives another answer.
    forged = before.state[:21] + np.full(12, 0.5, dtype=np.float32).tobytes()
    (resumed,) = engine.rank([_query(4, 8, 15, state=forged)])
    assert not np.array_equal(resumed.scores, engine.rank([_query(4, 8, 15)])[0].scores)


@pytest.mark.parametrize("token", [b"", b"nonsense", bytes(69)])
def test_token_that_does_not_fit_changes_nothing(engine: Engine, token: bytes) -> None:
    _assert_equal(engine.rank([_query(1, 2, state=token)])[0], engine.rank([_query(1, 2)])[0])


def test_token_of_another_session_changes_nothing(engine: Engine) -> None:
    (other,) = engine.rank([_query(9, 2, wants_state=True)])
    (answer,) = engine.rank([_query(1, 2, 3, state=other.state)])
    _assert_equal(answer, engine.rank([_query(1, 2, 3)])[0])


def test_no_token_is_given_unasked(engine: Engine) -> None:
    assert engine.rank([_query(1)])[0].state is None


def test_influence_is_what_leaving_an_event_out_changes(made: Made) -> None:
    engine, model = made
    session = np.array([5, 9, 9, 20], dtype=np.int32)
    query = _query(*session.tolist(), wants_influence=True)
    (before,) = engine.rank([_query(5, 9, wants_state=True)])
    with_token = _query(*session.tolist(), wants_influence=True, state=before.state)
    for answer in engine.rank([query, _query(3), with_token])[::2]:
        assert answer.influence is not None
        whole = model.score([session])[0, answer.items]
        for place in range(4):
            without = model.score([np.delete(session, place)])[0, answer.items]
            np.testing.assert_allclose(answer.influence[:, place], whole - without, atol=1e-5)


def test_only_event_has_all_the_influence(engine: Engine) -> None:
    (answer,) = engine.rank([_query(3, wants_influence=True, top_k=4)])
    np.testing.assert_array_equal(answer.influence, np.ones((4, 1)))


def test_influence_is_computed_of_the_last_events_only(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = _query(1, 2, 3, 4, wants_influence=True)
    (whole,) = engine.rank([query])
    monkeypatch.setattr(gru4rec, "MOST_INFLUENCES", 2)
    (limited,) = engine.rank([query])
    assert whole.influence is not None
    assert limited.influence is not None
    assert (limited.influence[:, :2] == 0).all()
    np.testing.assert_array_equal(limited.influence[:, 2:], whole.influence[:, 2:])


def test_no_queries_give_no_answers(engine: Engine) -> None:
    assert engine.rank([]) == []


@pytest.mark.parametrize(
    ("session", "message"), [((), "empty"), ((N_ITEMS,), "0 … 29"), ((-1, 2), "0 … 29")]
)
def test_session_that_cannot_be_read_is_refused(
    engine: Engine, session: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        engine.rank([_query(1), _query(*session)])


def test_description_says_what_ranks_and_how_well(engine: Engine) -> None:
    description = engine.description()
    assert description["recall"] == 1.0
    assert description["kernel"].startswith("all items, ")
    assert description["ms_at_batch_1"] > 0


def test_threads_of_torch_are_left_alone(engine: Engine) -> None:
    before = torch.get_num_threads()
    engine.rank([_query(1)])
    assert torch.get_num_threads() == before
