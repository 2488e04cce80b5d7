import numpy as np
import pytest

from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.session_states import SessionStates, expected_shapes
from crossrec_pipeline.serving.engine import choice
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.choice import (
    LEAST_RECALL,
    enough_items,
    fastest_search,
    recall,
    sampled_states,
)
from crossrec_pipeline.serving.engine.cluster_search import ClusterSearch
from crossrec_pipeline.serving.engine.clusters import cluster
from crossrec_pipeline.serving.engine.item_table import ItemTable
from crossrec_pipeline.serving.engine.search import WholeSearch
from crossrec_pipeline_tests.serving.engine.tables import table_of

N_ITEMS, WIDTH = 4000, 16
CONFIG = GRU4RecConfig(hidden_size=WIDTH, skip_connection=False, device="cpu")


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((30, WIDTH))
    noise = 0.8 * generator.standard_normal((N_ITEMS, WIDTH))
    return (centres[generator.integers(0, 30, N_ITEMS)] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def table(vectors: np.ndarray) -> ItemTable:
    bias = np.zeros(N_ITEMS, dtype=np.float32)
    return table_of(vectors, bias, cluster=cluster(vectors, 60, seed=0))


@pytest.fixture(scope="module")
def states(vectors: np.ndarray) -> SessionStates:
    generator = np.random.default_rng(1)
    shapes = expected_shapes(CONFIG, N_ITEMS)
    tensors = {name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    return SessionStates(CONFIG, {**tensors, "input_embedding": vectors})


def test_sample_is_of_items_by_support(states: SessionStates, vectors: np.ndarray) -> None:
    support = np.zeros(N_ITEMS)
    support[7] = 3
    hidden = sampled_states(states, support, 5, seed=0)
    lengths = [
        np.full(length, 7, dtype=np.int32) for length in range(1, choice._LONGEST_SESSION + 1)
    ]
    possible = states.last_hidden(lengths)
    assert all((row == possible).all(axis=1).any() for row in hidden)


def test_recall_is_the_share_that_is_found(table: ItemTable, vectors: np.ndarray) -> None:
    exact = WholeSearch(table, "bytes")
    queries = [Query(np.zeros(1, dtype=np.int32), 20)] * 2
    wanted = exact.best(vectors[:2], queries)
    assert recall(exact, vectors[:2], wanted) == 1
    # Five of twenty of the second list are others: (1 + 15 / 20) / 2.
    others = np.setdiff1d(np.arange(N_ITEMS), wanted[1][0])[:5].astype(np.int32)
    changed = (np.concatenate([wanted[1][0][:15], others]), wanted[1][1])
    assert recall(exact, vectors[:2], [wanted[0], changed]) == pytest.approx(0.875)


def test_enough_items_are_found_with_the_least_recall(
    table: ItemTable, vectors: np.ndarray
) -> None:
    hidden = vectors[::40]
    n_seen, found = enough_items(table, hidden)
    assert n_seen < N_ITEMS
    assert found >= LEAST_RECALL
    wanted = WholeSearch(table, "bytes").best(
        hidden, [Query(np.zeros(1, dtype=np.int32), 20)] * len(hidden)
    )
    fewer = ClusterSearch(table, "bytes", n_seen * 4 // 5)
    assert min(recall(fewer, hidden[:50], wanted[:50]), recall(fewer, hidden[50:], wanted[50:])) < (
        LEAST_RECALL
    )


def test_all_items_are_looked_at_where_clusters_mean_nothing(vectors: np.ndarray) -> None:
    at_random = np.random.default_rng(3).integers(0, 60, N_ITEMS)
    table = table_of(vectors, np.zeros(N_ITEMS, dtype=np.float32), cluster=at_random)
    n_seen, found = enough_items(table, vectors[::40])
    assert found >= LEAST_RECALL
    assert n_seen > N_ITEMS / 2


def test_faster_search_is_chosen_and_its_figures_told(
    table: ItemTable, states: SessionStates, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[list[str]] = []

    def milliseconds(searches: list, hidden: np.ndarray) -> dict:
        taken.append([search.name for search in searches])
        return {search: [1.0 + n, 5.0 - n] for n, search in enumerate(searches)}

    monkeypatch.setattr(choice, "_milliseconds", milliseconds)
    monkeypatch.setattr(choice, "has_byte_products", lambda: False)
    search, notes = fastest_search(table, states, np.ones(N_ITEMS))
    assert taken == [["all items, bytes", "all items, floats"]]
    assert search.name == "all items, floats"
    assert notes == {"recall": 1.0, "ms_at_batch_1": 2.0, "ms_at_batch_8": 4.0}


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        ({"bytes": [9.6, 1.4], "floats": [4.9, 2.0]}, "floats"),  # the faster in batches is late
        ({"bytes": [4.9, 1.4], "floats": [2.0, 2.0]}, "bytes"),
        ({"bytes": [9.6, 1.4], "floats": [8.0, 2.0]}, "floats"),  # none is in time
    ],
)
def test_search_that_is_late_with_one_query_alone_is_passed_over(
    times: dict[str, list[float]],
    chosen: str,
    table: ItemTable,
    states: SessionStates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def milliseconds(searches: list, hidden: np.ndarray) -> dict:
        return {search: times[search.name.split()[-1]] for search in searches}

    monkeypatch.setattr(choice, "_milliseconds", milliseconds)
    monkeypatch.setattr(choice, "has_byte_products", lambda: False)
    search, _ = fastest_search(table, states, np.ones(N_ITEMS))
    assert search.name == f"all items, {chosen}"
