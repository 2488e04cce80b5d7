import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crossrec_pipeline
from benchmarks.serving_bundle import make_bundle
from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.registry import load_bundle, save_bundle
from crossrec_pipeline.serving.engine import load
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.load import load_engine, prepare_engine
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

VOCABULARY = vocabulary_of("Movie_A", "Movie_B", "Music_C")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("models"), n_items=300, dim=8, seed=0)


@pytest.fixture
def markov(tmp_path: Path) -> Path:
    model = Markov()
    model.fit(SessionStore.from_sequences([[0, 1], [0, 1], [1, 2]]), VOCABULARY)
    return save_bundle(model, VOCABULARY, tmp_path / "models", inputs={}).path


def test_model_without_vectors_needs_nothing_prepared(markov: Path, tmp_path: Path) -> None:
    assert prepare_engine(markov, tmp_path / "engine") == {"engine": "dense"}
    assert not (tmp_path / "engine").exists()
    engine, vocabulary, bundle = load_engine(markov, tmp_path / "engine")
    assert engine.rank([Query(np.array([0], dtype=np.int32), 1)])[0].items.tolist() == [1]
    assert vocabulary.digest == VOCABULARY.digest
    assert bundle.kind == "markov"


def test_gru4rec_ranks_as_its_model(bundle: Path, tmp_path: Path) -> None:
    assert prepare_engine(bundle, tmp_path / "engine") == {"engine": "gru4rec", "clusters": 0}
    engine, vocabulary, opened = load_engine(bundle, tmp_path / "engine")
    assert (vocabulary.n_items, opened.kind) == (300, "gru4rec")
    session = np.array([5, 250], dtype=np.int32)
    (answer,) = engine.rank([Query(session, 20)])
    expected, _ = top_k(load_bundle(bundle).model.score([session]), 20)
    np.testing.assert_array_equal(answer.items, expected[0])


def test_many_items_are_put_into_clusters(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "ALL_SEARCHED_UP_TO", 299)
    monkeypatch.setattr(load, "N_SAMPLED", 32)
    notes = prepare_engine(bundle, tmp_path / "engine")
    # 2 × √300 is 34.6; some may be empty.
    assert 20 <= notes["clusters"] <= 35
    assert notes["items_looked_at"] <= 300
    engine, _, _ = load_engine(bundle, tmp_path / "engine")
    assert engine.description()["recall"] >= 0.99
    assert len(engine.rank([Query(np.array([1], dtype=np.int32), 300)])[0].items) == 300


def test_nothing_prepared_is_refused_with_a_remedy(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"engine\.json cannot be read .* made anew"):
        load_engine(bundle, tmp_path / "none")


def test_what_was_prepared_of_another_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    prepare_engine(make_bundle(tmp_path / "models", 300, 8, seed=1), tmp_path / "engine")
    with pytest.raises(BundleError, match="Delete the serving export"):
        load_engine(bundle, tmp_path / "engine")


def test_altered_bundle_is_refused(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "models", 100, 8, seed=0)
    prepare_engine(path, tmp_path / "engine")
    weights = path / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError, match="was altered"):
        load_engine(path, tmp_path / "engine")


def test_engine_of_a_gru4rec_does_not_load_torch(bundle: Path, tmp_path: Path) -> None:
    prepare_engine(bundle, tmp_path / "engine")
    program = (
        "import sys; from pathlib import Path\n"
        "from crossrec_pipeline.serving.engine.load import load_engine\n"
        f"load_engine(Path({str(bundle)!r}), Path({str(tmp_path / 'engine')!r}))\n"
        "print('torch' in sys.modules)"
    )
    root = Path(crossrec_pipeline.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "False"


def test_notes_are_json(bundle: Path, tmp_path: Path) -> None:
    notes = prepare_engine(bundle, tmp_path / "engine")
    assert json.loads(json.dumps(notes)) == notes
