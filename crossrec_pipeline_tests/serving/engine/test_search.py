import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.cluster_search import ClusterSearch
from crossrec_pipeline.serving.engine.search import ItemSearch, WholeSearch
from crossrec_pipeline_tests.serving.engine.tables import (
    assert_found,
    best_one_by_one,
    table_of,
)

SESSION = np.zeros(1, dtype=np.int32)
N_TYPES = 3


def _query(
    top_k: int, types: tuple[int, ...] | None = None, excluded: tuple[int, ...] = ()
) -> Query:
    return Query(SESSION, top_k, types, np.array(excluded, dtype=np.int32))


def _draw(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """Draw vectors, some of them equal or zero, biases, types, clusters and hidden states."""
    n_items, width = draw(st.integers(1, 300)), draw(st.integers(1, 20))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = 10.0 ** draw(st.integers(-6, 4))
    weight = size * generator.standard_normal((n_items, width))
    weight[generator.random(n_items) < 0.1] = 0
    weight[generator.random(n_items) < 0.3] = weight[0]
    if draw(st.booleans()):  # coarse cells give many equal scores
        weight = size * np.rint(weight / size)
    bias = draw(st.sampled_from([0.0, 1.0, 100.0])) * generator.standard_normal(n_items)
    n_queries = draw(st.integers(1, 9))
    hidden = np.tanh(generator.standard_normal((n_queries, width)))
    hidden[generator.random(n_queries) < 0.2] = 0
    return (
        weight.astype(np.float32),
        bias.astype(np.float32),
        generator.integers(0, N_TYPES, n_items),
        generator.integers(0, 4, n_items),
        hidden.astype(np.float32),
    )


@st.composite
def _cases(draw: st.DrawFn) -> tuple[tuple[np.ndarray, ...], list[Query]]:
    arrays = _draw(draw)
    n_items = len(arrays[0])
    types = st.none() | st.lists(st.integers(0, N_TYPES), max_size=3).map(tuple)
    excluded = st.lists(st.integers(0, n_items - 1), max_size=20).map(tuple)
    queries = [
        _query(draw(st.sampled_from([1, 3, 20, 400])), draw(types), draw(excluded))
        for _ in arrays[-1]
    ]
    return arrays, queries


@pytest.mark.parametrize("panels", ["bytes", "floats"])
@settings(max_examples=80, deadline=None)
@given(case=_cases())
def test_search_of_all_items_finds_what_sorting_finds(
    panels: str, case: tuple[tuple[np.ndarray, ...], list[Query]]
) -> None:
    (weight, bias, types, cluster, hidden), queries = case
    table = table_of(weight, bias, types, cluster)
    found = WholeSearch(table, panels).best(hidden, queries)
    assert_found(found, best_one_by_one(table, types, hidden, queries))


@settings(max_examples=40, deadline=None)
@given(case=_cases())
def test_search_of_as_many_items_as_there_are_misses_none(
    case: tuple[tuple[np.ndarray, ...], list[Query]],
) -> None:
    (weight, bias, types, cluster, hidden), queries = case
    table = table_of(weight, bias, types, cluster)
    found = ClusterSearch(table, "bytes", len(weight)).best(hidden, queries)
    assert_found(found, best_one_by_one(table, types, hidden, queries))


@settings(max_examples=40, deadline=None)
@given(case=_cases())
def test_search_of_few_clusters_gives_as_many_items_as_pass_the_filters(
    case: tuple[tuple[np.ndarray, ...], list[Query]],
) -> None:
    (weight, bias, types, cluster, hidden), queries = case
    table = table_of(weight, bias, types, cluster)
    found = ClusterSearch(table, "bytes", 1).best(hidden, queries)
    expected = best_one_by_one(table, types, hidden, queries)
    for query, (items, scores), (wanted, _) in zip(queries, found, expected, strict=True):
        assert len(items) == len(set(items.tolist())) == len(wanted)
        assert query.types is None or np.isin(types[items], query.types).all()
        assert not np.isin(items, query.excluded).any()
        assert (np.diff(scores) <= 0).all()


SEARCHES = {
    "all, bytes": lambda table: WholeSearch(table, "bytes"),
    "all, floats": lambda table: WholeSearch(table, "floats"),
    "clusters": lambda table: ClusterSearch(table, "bytes", 50),
}


@pytest.mark.parametrize("make", SEARCHES.values(), ids=list(SEARCHES))
def test_answer_does_not_depend_on_the_other_queries(make: type[ItemSearch]) -> None:
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((500, 16), dtype=np.float32)
    types, cluster = generator.integers(0, 3, 500), generator.integers(0, 8, 500)
    search = make(table_of(weight, weight[:, 0], types, cluster))  # type: ignore[call-arg]
    hidden = generator.standard_normal((7, 16), dtype=np.float32)
    queries = [_query(10, types) for types in (None, (0,), None, (1, 2), (0,), None, None)]
    together = search.best(hidden, queries)
    alone = [search.best(hidden[row : row + 1], [queries[row]])[0] for row in range(7)]
    assert_found(together, alone)


def test_all_scores_equal_are_found_by_item_index() -> None:
    weight = np.ones((2000, 4), dtype=np.float32)
    table = table_of(weight, np.zeros(2000, dtype=np.float32), np.arange(2000) % 3)
    (found,) = WholeSearch(table, "bytes").best(weight[:1], [_query(5, None, (0, 3))])
    np.testing.assert_array_equal(found[0], [1, 2, 4, 5, 6])
    np.testing.assert_array_equal(found[1], np.full(5, 4, dtype=np.float32))


def test_scores_closer_than_bytes_can_tell_are_told_apart() -> None:
    # A byte's step is 1/127; these differ by a hundredth of that.
    weight = np.ones((300, 2), dtype=np.float32)
    weight[:, 1] = np.random.default_rng(0).permutation(300) * 1e-4
    table = table_of(weight, np.zeros(300, dtype=np.float32))
    hidden = np.array([[0.3, 0.7]], dtype=np.float32)
    (found,) = WholeSearch(table, "bytes").best(hidden, [_query(300)])
    np.testing.assert_array_equal(found[0], np.argsort(-weight[:, 1]))


def test_no_type_allowed_gives_no_items() -> None:
    weight = np.ones((3, 2), dtype=np.float32)
    table = table_of(weight, np.zeros(3, dtype=np.float32))
    for search in (WholeSearch(table, "bytes"), ClusterSearch(table, "bytes", 1)):
        ((items, scores),) = search.best(weight[:1], [_query(2, ())])
        assert len(items) == len(scores) == 0
