"""Counts beside counting one by one, whichever way they come about."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.models.inner_product import compiled_counter, torch_counter
from crossrec_pipeline.models.inner_product.compiled_counter import CompiledCounter
from crossrec_pipeline.models.inner_product.counter import score_counter
from crossrec_pipeline.models.inner_product.counts import ScoreCounter, ScoreCounts
from crossrec_pipeline.models.inner_product.exact import exact_score
from crossrec_pipeline.models.inner_product.factors import ItemFactors
from crossrec_pipeline.models.inner_product.torch_counter import TorchCounter

MakeCounter = Callable[..., ScoreCounter]


def _in_bfloat16(factors: ItemFactors, group: np.ndarray | None = None) -> ScoreCounter:
    return CompiledCounter(factors, group, torch.bfloat16)


def _in_float32(factors: ItemFactors, group: np.ndarray | None = None) -> ScoreCounter:
    return CompiledCounter(factors, group, torch.float32)


COMPILED = {"bfloat16": _in_bfloat16, "float32": _in_float32}
ALL = {**COMPILED, "torch": TorchCounter}


@pytest.fixture(params=ALL.values(), ids=list(ALL))
def make_counter(request: pytest.FixtureRequest) -> MakeCounter:
    return request.param


@pytest.fixture(params=COMPILED.values(), ids=list(COMPILED))
def make_compiled(request: pytest.FixtureRequest) -> MakeCounter:
    return request.param


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_counter, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(compiled_counter, "ITEMS_AT_ONCE", 64)
    monkeypatch.setattr(torch_counter, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(torch_counter, "ITEMS_AT_ONCE", 7)


def _factors(weight: object, bias: object = None) -> ItemFactors:
    vectors = torch.as_tensor(weight, dtype=torch.float32)
    biases = torch.zeros(len(vectors)) if bias is None else torch.as_tensor(bias)
    return ItemFactors(vectors, biases.float())


def _count_one_by_one(
    factors: ItemFactors,
    hidden: np.ndarray,
    ranked: np.ndarray,
    n_ranked: np.ndarray,
    group: np.ndarray,
) -> ScoreCounts:
    """Score with `exact_score`, and compare."""
    weight, bias = factors.weight.numpy(), factors.bias.numpy()
    scores = np.array(
        [
            [exact_score(hidden, row, weight, bias, item) for item in range(len(weight))]
            for row in range(len(hidden))
        ]
    )
    rows = np.repeat(np.arange(len(hidden)), n_ranked)
    given_scores = scores[rows, ranked][:, None]
    first = np.cumsum(n_ranked) - n_ranked
    same_group = group == group[ranked[first]][:, None]
    return ScoreCounts(
        (scores[rows] > given_scores).sum(axis=1),
        (scores[rows] == given_scores).sum(axis=1),
        ((scores >= given_scores[first]) & same_group).sum(axis=1),
    )


def _assert_equal(found: ScoreCounts, expected: ScoreCounts) -> None:
    np.testing.assert_array_equal(found.higher, expected.higher)
    np.testing.assert_array_equal(found.equal, expected.equal)
    np.testing.assert_array_equal(found.within_group, expected.within_group)


def test_counts_by_hand(make_counter: MakeCounter):
    factors = _factors([[1, 0], [0, 1], [2, 0], [1, 0], [0, 3]], [0.0, 0.5, 0.0, 0.0, -1.0])
    hidden = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    # Scores: 1, 1.5, 2, 1, 2 and 1, -.5, 2, 1, -4.

    counts = make_counter(factors, np.array([0, 1, 0, 1, 1], dtype=np.int8)).count(
        hidden, np.array([0, 4, 1, 3, 4]), np.array([3, 2])
    )

    assert counts.higher.tolist() == [3, 0, 2, 1, 4]
    assert counts.equal.tolist() == [2, 2, 1, 2, 1]
    assert counts.ranks.tolist() == [5, 2, 3, 3, 5]
    assert counts.within_group.tolist() == [2, 1]


def test_the_only_item_is_the_best(make_counter: MakeCounter):
    counts = make_counter(_factors([[3.0]], [1.0])).count(
        torch.tensor([[-2.0]]), np.array([0]), np.array([1])
    )

    assert counts.ranks.tolist() == [1]


def test_no_rows_give_no_counts(make_counter: MakeCounter):
    counts = make_counter(_factors([[3.0]])).count(
        torch.zeros(0, 1), np.zeros(0, np.int64), np.zeros(0, np.int64)
    )

    assert len(counts.ranks) == len(counts.within_group) == 0


def test_items_of_equal_vectors_tie_wherever_they_are(make_counter: MakeCounter, small_blocks):
    rng = np.random.default_rng(0)
    distinct = rng.normal(size=(10, 37))
    factors = _factors(np.tile(distinct, (21, 1)), np.tile(rng.normal(size=10), 21))
    hidden = torch.from_numpy(rng.normal(size=(13, 37)).astype(np.float32))

    counts = make_counter(factors).count(hidden, rng.integers(0, 210, 13), np.ones(13, np.int64))

    assert (counts.equal == 21).all()
    assert (counts.higher % 21 == 0).all()


def test_all_items_alike_have_the_worst_rank(make_counter: MakeCounter):
    counts = make_counter(_factors(np.full((130, 3), 0.1))).count(
        torch.full((2, 3), 0.7), np.array([0, 129]), np.array([1, 1])
    )

    assert counts.ranks.tolist() == [130, 130]


@pytest.mark.parametrize("where", ["hidden", "weight", "bias"])
def test_a_score_that_is_not_a_number_is_refused(make_counter: MakeCounter, where: str):
    vectors = {"hidden": torch.ones(3, 2), "weight": torch.ones(200, 2), "bias": torch.zeros(200)}
    vectors[where][-1:] = torch.nan
    counter = make_counter(ItemFactors(vectors["weight"], vectors["bias"]))

    with pytest.raises(EvaluationError, match="not a number"):
        counter.count(vectors["hidden"], np.array([0, 1, 2]), np.ones(3, np.int64))


def test_infinity_less_infinity_is_refused(make_counter: MakeCounter):
    weight = torch.ones(200, 2)
    weight[150, 1] = -1

    with pytest.raises(EvaluationError, match="not a number"):
        make_counter(_factors(weight)).count(
            torch.full((1, 2), torch.inf), np.array([0]), np.ones(1, np.int64)
        )


def test_a_bias_of_minus_infinity_puts_an_item_last(make_counter: MakeCounter):
    bias = torch.zeros(100)
    bias[[3, 70]] = -torch.inf

    counts = make_counter(ItemFactors(torch.ones(100, 4), bias)).count(
        torch.ones(2, 4), np.array([3, 0]), np.array([1, 1])
    )

    assert counts.higher.tolist() == [98, 0]
    assert counts.equal.tolist() == [2, 98]


KINDS = ["random", "near ties", "huge", "tiny", "mixed norms", "halves"]


def _vectors(kind: str, n_rows: int, n_items: int, width: int, rng: np.random.Generator):
    """Hidden states, vectors and biases, float32."""
    hidden, weight = rng.normal(size=(n_rows, width)), rng.normal(size=(n_items, width))
    bias = rng.normal(size=n_items)
    if kind == "near ties":  # the last bit of one column differs
        weight = np.tile(weight[:1], (n_items, 1))
        weight[:, 0] *= 1 + rng.integers(-2, 3, n_items) * 2.0**-23
        bias[:] = bias[0]
    elif kind == "huge":  # sums overflow float32
        hidden, weight = hidden * 1e19, weight * 1e19
        hidden, weight = np.abs(hidden), np.abs(weight)
    elif kind == "tiny":  # products underflow
        hidden, weight, bias = hidden * 1e-20, weight * 1e-20, bias * 0
    elif kind == "mixed norms":
        weight *= 10.0 ** rng.integers(-20, 18, (n_items, 1))
    elif kind == "halves":  # many ties
        hidden, weight = np.round(hidden), np.round(weight * 2) / 2
        bias = np.round(bias)
    return (array.astype(np.float32) for array in (hidden, weight, bias))


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    n_rows=st.integers(1, 12),
    n_items=st.integers(1, 200),
    width=st.integers(1, 40),
    n_groups=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_compiled_counts_are_those_of_scores_one_by_one(
    kind: str, n_rows: int, n_items: int, width: int, n_groups: int, seed: int
):
    rng = np.random.default_rng(seed)
    hidden, weight, bias = _vectors(kind, n_rows, n_items, width, rng)
    factors = ItemFactors(torch.from_numpy(weight), torch.from_numpy(bias))
    group = rng.integers(0, n_groups, n_items).astype(np.int8)
    n_ranked = rng.integers(1, 4, n_rows)
    ranked = rng.integers(0, n_items, n_ranked.sum())
    expected = _count_one_by_one(factors, hidden, ranked, n_ranked, group)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_counter, "ROWS_AT_ONCE", int(rng.integers(1, 15)))
        patch.setattr(compiled_counter, "ITEMS_AT_ONCE", int(rng.choice([64, 128, 512])))
        for make in COMPILED.values():
            found = make(factors, group).count(torch.from_numpy(hidden), ranked, n_ranked)
            _assert_equal(found, expected)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), rows_at_once=st.integers(1, 9), items_at_once=st.integers(1, 99))
def test_torch_counts_the_same_where_scores_are_without_rounding(
    seed: int, rows_at_once: int, items_at_once: int
):
    rng = np.random.default_rng(seed)
    hidden, weight, bias = _vectors("halves", 8, 90, 12, rng)
    factors = ItemFactors(torch.from_numpy(weight), torch.from_numpy(bias))
    group = rng.integers(0, 3, 90).astype(np.int8)
    n_ranked = rng.integers(1, 4, 8)
    ranked = rng.integers(0, 90, n_ranked.sum())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_counter, "ROWS_AT_ONCE", rows_at_once)
        patch.setattr(torch_counter, "ITEMS_AT_ONCE", items_at_once)
        found = TorchCounter(factors, group).count(torch.from_numpy(hidden), ranked, n_ranked)

    _assert_equal(found, _count_one_by_one(factors, hidden, ranked, n_ranked, group))


def test_counts_as_in_double_precision_where_no_scores_are_near(make_compiled: MakeCounter):
    rng = np.random.default_rng(1)
    hidden, weight = rng.normal(size=(300, 100)), rng.normal(size=(3_000, 100))
    hidden, weight = hidden.astype(np.float32), weight.astype(np.float32)
    scores = hidden.astype(np.float64) @ weight.T.astype(np.float64)
    target = rng.integers(0, 3_000, 300)
    gaps = np.abs(scores - scores[np.arange(300), target][:, None])
    clear = np.partition(gaps, 1, axis=1)[:, 1] > 1e-4  # the nearest is the target itself
    expected = (scores >= scores[np.arange(300), target][:, None]).sum(axis=1)

    counts = make_compiled(_factors(weight)).count(
        torch.from_numpy(hidden), target, np.ones(300, np.int64)
    )

    assert clear.sum() > 200
    np.testing.assert_array_equal(counts.ranks[clear], expected[clear])


def test_float32_is_multiplied_as_such_where_less_is_allowed(make_compiled: MakeCounter):
    rng = np.random.default_rng(2)
    hidden = torch.from_numpy(rng.normal(size=(64, 96)).astype(np.float32))
    factors = _factors(rng.normal(size=(512, 96)))
    target, one_each = rng.integers(0, 512, 64), np.ones(64, np.int64)
    expected = make_compiled(factors).count(hidden, target, one_each)
    before = torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[attr-defined]
    try:
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]
        found = make_compiled(factors).count(hidden, target, one_each)
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"  # type: ignore[attr-defined]
    finally:
        torch.backends.mkldnn.matmul.fp32_precision = before  # type: ignore[attr-defined]

    _assert_equal(found, expected)


def test_most_items_are_not_scored_again(make_compiled: MakeCounter, monkeypatch):
    """If all were within the margin, counts would be right too, and slow."""
    rng = np.random.default_rng(3)
    found = []
    count_block = compiled_counter.count_block

    def with_margin(*arguments):
        found.append((arguments[2], arguments[0].shape))
        return count_block(*arguments)

    monkeypatch.setattr(compiled_counter, "count_block", with_margin)
    make_compiled(_factors(rng.normal(size=(1_000, 100)))).count(
        torch.from_numpy(rng.normal(size=(50, 100)).astype(np.float32)),
        rng.integers(0, 1_000, 50),
        np.ones(50, np.int64),
    )

    widest = max(margin.max() for margin, _ in found)
    assert 0 < widest < 0.6, "scores have the standard deviation 10"


def test_counting_does_not_hold_the_scores_of_all_items(make_compiled: MakeCounter):
    rng = np.random.default_rng(4)
    n_rows, n_items = 1_000, 100_000
    hidden = torch.from_numpy(rng.normal(size=(n_rows, 4)).astype(np.float32))
    counter = make_compiled(_factors(rng.normal(size=(n_items, 4))))
    ranked, one_each = rng.integers(0, n_items, n_rows), np.ones(n_rows, np.int64)
    counter.count(hidden[:1], ranked[:1], one_each[:1])
    largest = 0
    empty = torch.empty

    def counted(*shape, **options):
        nonlocal largest
        tensor = empty(*shape, **options)
        largest = max(largest, tensor.nbytes)
        return tensor

    tracemalloc.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "empty", counted)
        counter.count(hidden, ranked, one_each)
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 0 < largest <= 4 * compiled_counter.ROWS_AT_ONCE * compiled_counter.ITEMS_AT_ONCE
    assert peak < 1_000_000, "the scores of all items are 400 MB"


@pytest.mark.parametrize("width", [3, 100, 192])
@pytest.mark.parametrize("items_at_once", [7, 64, 1000])
def test_torch_ties_equal_vectors_however_a_product_is_added_up(
    width: int, items_at_once: int, monkeypatch: pytest.MonkeyPatch
):
    """Where in a block an item is decides the last bits of its product on many devices."""
    monkeypatch.setattr(torch_counter, "ITEMS_AT_ONCE", items_at_once)
    rng = np.random.default_rng(width)
    place = rng.permutation(300)
    factors = _factors(np.tile(rng.normal(size=(20, width)), (15, 1))[place])
    hidden = torch.from_numpy(rng.normal(size=(50, width)).astype(np.float32))

    counts = TorchCounter(factors).count(hidden, rng.integers(0, 300, 50), np.ones(50, np.int64))

    assert (counts.equal == 15).all()
    assert (counts.higher % 15 == 0).all()


def test_takes_the_compiled_one_for_float32_on_the_cpu():
    factors = _factors([[1.0]])

    assert isinstance(score_counter(factors), CompiledCounter)
    assert isinstance(
        score_counter(ItemFactors(factors.weight.double(), factors.bias.double())), TorchCounter
    )
