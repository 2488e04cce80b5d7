import numpy as np
import pytest

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.hybrid.members import (
    check_member,
    lists_of_positions,
    lists_of_sessions,
)
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline_tests.models.hybrid.small_world import N_ITEMS, fitted_members, sessions

MEMBERS = fitted_members(sessions(200, 0))
STORE = sessions(30, 1)
N_BEST = 7


def _by_position(names: list[str]) -> dict[tuple[int, int], list[dict[int, float]]]:
    found = {}
    for block in lists_of_positions([MEMBERS[name] for name in names], STORE, N_BEST):
        for query, key in enumerate(zip(block.session, block.position, strict=True)):
            session = STORE[int(key[0])][: int(key[1])]
            asked = block.queries.item_index[
                block.queries.begins[query] : block.queries.ends[query]
            ]
            np.testing.assert_array_equal(asked, session)
            assert key not in found
            found[key] = [_row(lists, query) for lists in block.lists]
    return found


def _row(lists, query: int) -> dict[int, float]:
    part = lists.part(query, query + 1)
    return dict(zip(part.items.tolist(), part.scores.tolist(), strict=True))


def test_every_position_is_listed_once_by_every_member():
    found = _by_position(["gru4rec", "vstan"])
    assert len(found) == STORE.n_predictions
    for network, neighbours in found.values():
        assert len(network) == N_BEST
        assert sum(network.values()) < 1
        assert sum(neighbours.values()) == pytest.approx(1, rel=1e-5)


def test_a_networks_shares_are_its_softmax():
    network = MEMBERS["gru4rec"]
    for (session, position), (shares,) in list(_by_position(["gru4rec"]).items())[:20]:
        scores = network.score([STORE[int(session)][: int(position)]])[0].astype(np.float64)
        softmax = np.exp(scores) / np.exp(scores).sum()
        best = np.argsort(-softmax)[:N_BEST]
        assert sorted(shares) == sorted(best.tolist())
        assert [shares[i] for i in best] == pytest.approx(softmax[best].tolist(), rel=1e-4)


def test_members_without_a_network_list_in_the_stores_order():
    keys = list(_by_position(["vstan", "sknn"]))
    assert keys == sorted(keys)
    assert len(keys) == STORE.n_predictions


def test_whole_sessions_are_listed_as_positions_are():
    names = ["gru4rec", "sknn"]
    by_position = _by_position(names)
    prefixes = [STORE[int(s)][: int(p)] for s, p in by_position]
    _, lists = lists_of_sessions([MEMBERS[name] for name in names], prefixes, N_BEST)
    for query, rows in enumerate(by_position.values()):
        for member, row in zip(lists, rows, strict=True):
            assert _row(member, query) == pytest.approx(row, rel=1e-4)


def test_no_more_items_are_listed_than_there_are():
    _, (lists,) = lists_of_sessions([MEMBERS["gru4rec"]], [np.array([3])], 10 * N_ITEMS)
    assert len(lists.items) == N_ITEMS


def test_a_model_that_scores_all_items_alike_for_all_is_no_member():
    with pytest.raises(SettingsError, match=r"'top' \(popularity\) can be no member of a hybrid"):
        check_member("top", Popularity())
