import numpy as np

from crossrec_pipeline.models.hybrid.reranker import Reranker


def _queries(n_queries: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten candidates each; the one with the highest second feature came next."""
    table = np.random.default_rng(seed).random((n_queries, 10, 2)).astype(np.float32)
    is_target = table[:, :, 1] == table[:, :, 1].max(axis=1, keepdims=True)
    return table.reshape(-1, 2), is_target.reshape(-1), np.full(n_queries, 10)


def _trained(seed: int = 0) -> Reranker:
    return Reranker.train(*_queries(300, 1), ["noise", "signal"], n_trees=20, seed=seed)


def test_what_tells_the_next_item_apart_is_found():
    reranker = _trained()
    table, is_target, _ = _queries(200, 2)
    scores = reranker.scores(table).reshape(-1, 10)
    right = scores.argmax(axis=1) == is_target.reshape(-1, 10).argmax(axis=1)
    assert right.mean() > 0.8
    importance = reranker.importance()
    assert next(iter(importance)) == "signal"
    assert importance["signal"] > 0.9


def test_training_again_gives_the_same_trees():
    assert _trained().text == _trained().text


def test_trees_survive_as_text():
    table, _, _ = _queries(20, 3)
    reranker = _trained()
    np.testing.assert_array_equal(Reranker(reranker.text).scores(table), reranker.scores(table))


def test_no_candidates_have_no_scores():
    assert _trained().scores(np.zeros((0, 2), dtype=np.float32)).tolist() == []
