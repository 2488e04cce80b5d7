from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.models.rules import pair_sums
from crossrec_pipeline.models.rules.pair_sums import DistanceWeights, PairScaling, pair_rows
from crossrec_pipeline.models.rules.rows import ItemRows
from crossrec_pipeline.sessions.store import SessionStore

AFTER = DistanceWeights(np.zeros(0), np.array([1.0, 0.5]))


def summed(
    sequences: list[list[int]],
    weights: DistanceWeights,
    n_items: int,
    top: int = 100,
    scaling: PairScaling | None = None,
) -> ItemRows:
    store = SessionStore.from_sequences(sequences)
    return pair_rows(
        store.item_index,
        store.offsets,
        weights,
        scaling or PairScaling(np.ones(n_items), np.ones(n_items)),
        np.bincount(store.item_index, minlength=n_items),
        top,
    )


def row(rows: ItemRows, item: int) -> dict[int, float]:
    of_item = slice(rows.offsets[item], rows.offsets[item + 1])
    return dict(zip(rows.items[of_item].tolist(), rows.scores[of_item].tolist(), strict=True))


def test_pairs_weigh_by_their_distance() -> None:
    # After 0 come 1 (a step), 2 (two steps, 0.5) and 0 (three steps, beyond the weights).
    assert row(summed([[0, 1, 2, 0]], AFTER, 3), 0) == pytest.approx({1: 1, 2: 0.5})


def test_what_came_before_has_weights_of_its_own() -> None:
    weights = DistanceWeights(np.array([0.25]), np.array([1.0]))
    assert row(summed([[0, 1, 2]], weights, 3), 1) == pytest.approx({0: 0.25, 2: 1})


def test_whole_session_pairs_every_event_with_every_other() -> None:
    sequences = [[0, 1, 2, 0]]
    weights = DistanceWeights.whole_session(SessionStore.from_sequences(sequences).offsets)
    # Each of the two events of 0 meets 1, 2 and the other 0.
    assert row(summed(sequences, weights, 3), 0) == pytest.approx({0: 2, 1: 2, 2: 2})
    assert row(summed(sequences, weights, 3), 1) == pytest.approx({0: 2, 2: 1})


def test_sessions_do_not_run_into_each_other() -> None:
    assert row(summed([[0, 1], [2, 0]], AFTER, 3), 0) == pytest.approx({1: 1})


def test_sums_are_scaled_by_both_items() -> None:
    scaling = PairScaling(np.array([3.0, 1, 1]), np.array([1, 10.0, 100]))
    rows = summed([[0, 1, 2]], AFTER, 3, scaling=scaling)
    assert row(rows, 0) == pytest.approx({1: 3 * 10 * 1, 2: 3 * 100 * 0.5})


def test_powers_take_items_without_events_for_once() -> None:
    scaling = PairScaling.powers(np.array([0, 4]), -0.5, 0.0)
    assert scaling.given.tolist() == [1, 0.5]
    assert scaling.scored.tolist() == [1, 1]


def test_equal_sums_rank_by_popularity() -> None:
    # 0→1 and 0→2 once; 2 occurs once more.
    scores = row(summed([[0, 1], [0, 2], [2]], AFTER, 3), 0)
    assert scores[2] > scores[1]
    assert scores == pytest.approx({1: 1, 2: 1})


def test_sums_that_differ_by_rounding_only_rank_by_popularity() -> None:
    # 0.1 + 0.2 is more than 0.3 in 64 bits; 2 is less popular than 1, and no better for it.
    weights = DistanceWeights(np.zeros(0), np.array([0.1, 0.2, 0.3]))
    sequences = [[0, 2, 2], [0, 3, 3, 1], [1, 1]]
    scores = row(summed(sequences, weights, 4), 0)
    assert 0.1 + 0.2 > 0.3
    assert scores[1] > scores[2]


def test_only_the_highest_of_a_row_are_kept() -> None:
    rows = summed([[0, 1], [0, 1], [0, 2], [0, 3], [3]], AFTER, 4, top=2)
    assert set(row(rows, 0)) == {1, 3}  # 3 is as frequent after 0 as 2, and more popular


def test_of_equal_items_the_first_are_kept() -> None:
    assert set(row(summed([[0, 3], [0, 2], [0, 1]], AFTER, 4, top=2), 0)) == {1, 2}


def test_no_sessions_make_empty_rows() -> None:
    rows = summed([], AFTER, 3)
    assert rows.offsets.tolist() == [0, 0, 0, 0]
    assert len(rows.items) == len(rows.scores) == 0


def test_rows_do_not_depend_on_the_size_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = [[0, 1, 2, 3], [3, 1, 0], [2, 2, 1], [4]]
    whole = summed(sequences, AFTER, 5)
    monkeypatch.setattr(pair_sums, "_ENTRIES_PER_BLOCK", 3)
    cut = summed(sequences, AFTER, 5)
    for name, array in vars(whole).items():
        assert np.array_equal(getattr(cut, name), array)


@given(
    sequences=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=7), max_size=12),
    before=st.lists(st.sampled_from([0.5, 1.0, 3.0]), max_size=3),
    after=st.lists(st.sampled_from([0.5, 1.0, 3.0]), max_size=3),
    top=st.integers(1, 6),
)
def test_rows_are_those_of_adding_by_hand(
    sequences: list[list[int]], before: list[float], after: list[float], top: int
) -> None:
    rows = summed(sequences, DistanceWeights(np.array(before), np.array(after)), 6, top)
    popularity = [sum(sequence.count(item) for sequence in sequences) for item in range(6)]
    for item in range(6):
        sums: dict[int, float] = defaultdict(float)
        for sequence in sequences:
            for x, here in enumerate(sequence):
                for y, there in enumerate(sequence):
                    if here == item and 0 < y - x <= len(after):
                        sums[there] += after[y - x - 1]
                    if here == item and 0 < x - y <= len(before):
                        sums[there] += before[x - y - 1]
        wanted = sorted(sums, key=lambda other: (-sums[other], -popularity[other], other))[:top]
        found = row(rows, item)
        assert sorted(found, key=lambda other: (-found[other], other)) == wanted
        assert found == pytest.approx({other: sums[other] for other in wanted})
