from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.costs import (
    N_TIMED_SESSIONS,
    Cost,
    measure_cost,
    read_costs,
    session_latencies_ms,
    write_costs,
)
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.registry import LoadedBundle, load_bundle, save_bundle
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of

VOCABULARY = vocabulary_of(["Movie"] * 30)
STORE = SessionStore.from_sequences([[i % 30, (i + 1) % 30] for i in range(60)])
COSTS = [Cost("markov", 700, None, 1000.0, 0.5, 0.7), Cost("gru4rec", 900, 60.0, 10.0, None, None)]


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedBundle:
    model = Markov()
    model.fit(STORE, VOCABULARY)
    bundle = save_bundle(model, VOCABULARY, tmp_path, inputs={}, summary={"seconds": 12.5})
    return load_bundle(bundle.path)


def test_a_bundle_tells_its_size_and_how_long_its_model_trained(loaded: LoadedBundle):
    cost = measure_cost(loaded, STORE, predictions_per_second=1234.0)

    names = ("weights.safetensors", "config.json", "vocabulary.parquet")
    assert cost.bundle_bytes == sum((loaded.bundle.path / name).stat().st_size for name in names)
    assert (cost.model, cost.fit_seconds, cost.predictions_per_second) == ("markov", 12.5, 1234.0)
    assert cost.latency_p50_ms is not None
    assert cost.latency_p95_ms is not None
    assert 0 < cost.latency_p50_ms <= cost.latency_p95_ms


class Counting(Markov):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def score(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        self.asked.append(len(sessions))
        return super().score(sessions)


def test_sessions_are_asked_for_one_by_one_after_a_warm_up():
    model = Counting()
    model.fit(STORE, VOCABULARY)

    assert len(session_latencies_ms(model, STORE)) == N_TIMED_SESSIONS
    assert set(model.asked) == {1}
    assert len(model.asked) > N_TIMED_SESSIONS


def test_without_sessions_there_is_no_latency(loaded: LoadedBundle):
    cost = measure_cost(loaded, SessionStore.from_sequences([]), 0.0)

    assert (cost.latency_p50_ms, cost.latency_p95_ms) == (None, None)


def test_costs_are_read_back_as_they_were_written(tmp_path: Path):
    write_costs(COSTS, tmp_path / "costs.json")

    assert read_costs(tmp_path / "costs.json") == COSTS


def test_without_a_file_there_are_no_costs(tmp_path: Path):
    assert read_costs(tmp_path / "costs.json") == []


@pytest.mark.parametrize("content", ["", '[{"model": "markov"}]', "[1]"])
def test_a_file_of_something_else_is_named(tmp_path: Path, content: str):
    path = tmp_path / "costs.json"
    path.write_text(content)

    with pytest.raises(EvaluationError, match=r"costs\.json does not list costs.*evaluation/ranks"):
        read_costs(path)
