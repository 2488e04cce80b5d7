import numpy as np

from crossrec_pipeline.models.hybrid.reranker import Reranker


def _queries(n_queries: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten candidates each; the one with the highest second feature came next."""
    table = np.random.default_rng(seed).random((n_queries, 10, 2)).astype(np.float32)
    is_target = table[:, :, 1] == table[:, :, 1].max(axis=1, keepdims=True)
    return table.reshape(-1, 2), is_target.reshape(-1), np.full(n_queries, 10)


def _first_of_each_ten(values: np.ndarray) -> np.ndarray:
    of_query = values.reshape(-1, 10)
    return (of_query == of_query.max(axis=1, keepdims=True)).reshape(-1)


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


def test_features_that_came_later_do_not_count():
    table, _, _ = _queries(20, 3)
    reranker = _trained()
    wider = np.hstack([table, np.ones((len(table), 2), dtype=np.float32)])
    np.testing.assert_array_equal(reranker.scores(wider), reranker.scores(table))
    assert reranker.names == ["noise", "signal"]


def test_features_that_are_always_zero_change_nothing():
    # So many that each tree looks at some of them only.
    rng = np.random.default_rng(0)
    table, asked = rng.random((2, 3000, 10)).astype(np.float32)
    is_target = _first_of_each_ten(table[:, 3] + table[:, 7])
    names = [f"f{i}" for i in range(10)]
    scores = []
    for n_zero in (0, 2):
        zeros = np.zeros((3000, n_zero), dtype=np.float32)
        reranker = Reranker.train(
            np.hstack([table, zeros]),
            is_target,
            np.full(300, 10),
            [*names, *(f"zero{i}" for i in range(n_zero))],
            n_trees=20,
            seed=0,
        )
        scores.append(reranker.scores(np.hstack([asked, zeros])))
    np.testing.assert_array_equal(*scores)


def test_no_candidates_have_no_scores():
    assert _trained().scores(np.zeros((0, 2), dtype=np.float32)).tolist() == []
