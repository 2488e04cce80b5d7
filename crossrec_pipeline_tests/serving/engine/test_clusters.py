import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.serving.engine import clusters
from crossrec_pipeline.serving.engine.clusters import cluster


def test_groups_far_apart_are_told_apart() -> None:
    generator = np.random.default_rng(0)
    group = np.arange(60) % 3
    vectors = np.array([[0, 0], [100, 0], [0, 100]])[group] + generator.standard_normal((60, 2))
    found = cluster(vectors.astype(np.float32), 6, seed=1)
    # Of six means some groups get several, but none is of two groups.
    assert all(len(set(group[found == number].tolist())) <= 1 for number in range(6))


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 50), n_clusters=st.integers(1, 50), seed=st.integers(0, 1000))
def test_every_vector_has_a_cluster_and_equal_seeds_give_equal_ones(
    n: int, n_clusters: int, seed: int
) -> None:
    n_clusters = min(n, n_clusters)
    vectors = np.random.default_rng(seed).standard_normal((n, 3), dtype=np.float32)
    found = cluster(vectors, n_clusters, seed)
    assert found.shape == (n,)
    assert found.min() >= 0
    assert found.max() < n_clusters
    np.testing.assert_array_equal(found, cluster(vectors, n_clusters, seed))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Small integers, so that sums are exact in any order.
    vectors = np.random.default_rng(2).integers(-9, 9, (100, 4)).astype(np.float32)
    whole = cluster(vectors, 5, 0)
    monkeypatch.setattr(clusters, "_ROWS_AT_ONCE", 7)
    assert (cluster(vectors, 5, 0) == whole).mean() > 0.95  # equally near ones may differ
