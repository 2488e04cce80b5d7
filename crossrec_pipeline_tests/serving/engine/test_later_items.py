"""Engines of a model and items that came after its training."""

from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.registry import load_bundle
from crossrec_pipeline.serving.engine import load
from crossrec_pipeline.serving.engine.base import Engine, Query, Ranking
from crossrec_pipeline.serving.engine.load import load_engine, prepare_engine
from crossrec_pipeline.serving.engine.whole_tables import map_whole_tables, write_whole_tables
from crossrec_pipeline_tests.serving.engine.later_items import (
    N_ITEMS,
    NEW,
    WIDTH,
    additions,
    trained,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def plain(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("plain") / "engine"
    prepare_engine(bundle, folder)
    return load_engine(bundle, folder)[0]


def _grown(bundle: Path, folder: Path, seed: int = 0) -> Engine:
    prepare_engine(bundle, folder, additions(seed))
    return load_engine(bundle, folder, additions(seed))[0]


@pytest.fixture(scope="module")
def grown(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return _grown(bundle, tmp_path_factory.mktemp("grown") / "engine")


def _rank(engine: Engine, *session: int, state: bytes | None = None) -> Ranking:
    query = Query(np.array(session, dtype=np.int32), 70, state=state, wants_state=True)
    return engine.rank([query])[0]


@pytest.mark.parametrize("adapter_rank", [0, 2], ids=["one table", "two tables"])
def test_new_items_are_ranked_as_by_the_grown_model(tmp_path: Path, adapter_rank: int):
    bundle, added = trained(tmp_path, adapter_rank), additions(tied=adapter_rank == 0)
    prepare_engine(bundle, tmp_path / "engine", added)

    engine, vocabulary, opened = load_engine(bundle, tmp_path / "engine", added)

    assert vocabulary.item_ids[NEW:] == ["Book_x", "Movie_y", "Movie_z"]
    assert opened.data_version == load_bundle(bundle).bundle.data_version
    model = load_bundle(bundle).model
    assert isinstance(model, GRU4Rec)
    for session in ([4, 7], [NEW + 1], [3, NEW, 9, NEW + 2]):
        answer = _rank(engine, *session)
        scores = model.grown(added).score([np.array(session, dtype=np.int32)])
        np.testing.assert_allclose(answer.scores, -np.sort(-scores[0]), rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(answer.items, top_k(scores, 70)[0][0])
        assert {NEW, NEW + 1, NEW + 2} <= set(answer.items.tolist())


def test_new_items_pass_filters_by_their_type(grown: Engine):
    query = Query(np.array([1], dtype=np.int32), 70, types=(0,))

    (answer,) = grown.rank([query])

    found = set(answer.items.tolist())
    assert found & {NEW, NEW + 1, NEW + 2} == {NEW}
    assert len(found) == N_ITEMS // 2 + 1


def test_new_items_have_influence(grown: Engine):
    query = Query(np.array([1, NEW + 1], dtype=np.int32), 5, wants_influence=True)

    (answer,) = grown.rank([query])

    assert answer.influence is not None
    assert (answer.influence[:, 1] != 0).any()


def test_new_items_are_put_into_clusters_too(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(load, "ALL_SEARCHED_UP_TO", N_ITEMS)
    monkeypatch.setattr(load, "N_SAMPLED", 32)

    engine = _grown(bundle, tmp_path / "engine")

    assert {NEW, NEW + 1, NEW + 2} <= set(_rank(engine, 3).items.tolist())


def _forged(token: bytes | None) -> bytes:
    """Put another state into a token: whoever takes it answers otherwise."""
    assert token is not None
    return token[:21] + np.full(WIDTH, 0.5, dtype=np.float32).tobytes()


def _is_taken(engine: Engine, token: bytes | None, *session: int) -> bool:
    answer, without = _rank(engine, *session, state=_forged(token)), _rank(engine, *session)
    return not np.array_equal(answer.scores, without.scores)


def test_tokens_of_known_items_outlive_what_is_added(plain: Engine, grown: Engine):
    assert _is_taken(grown, _rank(plain, 4, 8).state, 4, 8, 15)
    assert _is_taken(grown, _rank(plain, 4, 8).state, 4, 8, NEW)
    assert _is_taken(plain, _rank(grown, 4, 8).state, 4, 8, 15)


def test_tokens_of_new_items_are_taken_while_these_stay(
    bundle: Path, grown: Engine, tmp_path: Path
):
    token = _rank(grown, 4, NEW).state
    others = _grown(bundle, tmp_path / "engine", seed=1)

    assert _is_taken(grown, token, 4, NEW, 15)
    assert not _is_taken(others, token, 4, NEW, 15)


def test_the_state_goes_on_as_if_all_had_been_read(grown: Engine):
    before = _rank(grown, 4, NEW, 7)

    resumed, whole = _rank(grown, 4, NEW, 7, 9, state=before.state), _rank(grown, 4, NEW, 7, 9)

    np.testing.assert_array_equal(resumed.scores, whole.scores)
    assert resumed.state == whole.state


@pytest.mark.parametrize(
    ("prepared", "loaded"), [(None, 0), (0, None), (0, 1)], ids=["without", "with", "others"]
)
def test_what_was_prepared_with_other_items_is_refused(
    bundle: Path, tmp_path: Path, prepared: int | None, loaded: int | None
):
    prepare_engine(bundle, tmp_path / "e", None if prepared is None else additions(prepared))

    with pytest.raises(BundleError, match="Delete the serving export"):
        load_engine(bundle, tmp_path / "e", None if loaded is None else additions(loaded))


def test_tables_are_mapped_and_the_other_tensors_stay(tmp_path: Path):
    table, weight = np.ones((4, WIDTH), np.float32), np.zeros((4, WIDTH), np.float32)
    tensors = {
        "input_embedding": table,
        "output_weight": weight,
        "output_bias": np.ones(4, np.float32),
        "skip": np.ones((2, 2), np.float32),
    }
    added = additions(tied=False)
    write_whole_tables(tmp_path, tensors, added)

    whole = map_whole_tables(tmp_path, tensors, 3)

    assert isinstance(whole["output_weight"].base, np.memmap)
    np.testing.assert_array_equal(whole["input_embedding"], np.vstack([table, added.vectors]))
    np.testing.assert_array_equal(whole["output_weight"], np.vstack([weight, added.weight]))
    np.testing.assert_array_equal(whole["output_bias"], [1, 1, 1, 1, *added.bias])
    assert whole["skip"] is tensors["skip"]
    with pytest.raises(BundleError, match=r"whole_input_embedding\.npy has the shape"):
        map_whole_tables(tmp_path, tensors, 2)


def test_one_table_is_written_once(tmp_path: Path):
    table = np.ones((4, WIDTH), np.float32)
    tensors = {
        "input_embedding": table,
        "output_weight": table,
        "output_bias": np.ones(4, np.float32),
    }
    write_whole_tables(tmp_path, tensors, additions())

    whole = map_whole_tables(tmp_path, tensors, 3)

    assert whole["output_weight"] is whole["input_embedding"]
    assert len(list(tmp_path.iterdir())) == 2
