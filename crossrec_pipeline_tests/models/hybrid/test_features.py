from math import log

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.models.candidates import Queries
from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
from crossrec_pipeline.models.hybrid.features import ItemKnowledge, feature_names, features
from crossrec_pipeline.models.hybrid.train_facts import TrainFacts
from crossrec_pipeline.models.hybrid.union import union
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.hybrid.written_lists import lists_of
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

VOCABULARY = vocabulary_of("Movie_A", "Movie_B", "Book_C", "Music_D")
ATTRIBUTES = ItemAttributes.from_catalogue(
    pl.DataFrame(
        {
            "item_id": VOCABULARY.item_ids,
            "creators": [["x"], ["x", "y"], ["y"], ["z"]],
            "genres": [["g"], ["h"], ["g", "h"], ["k"]],
            "imputed": [[], [], [], ["creators"]],
        }
    ),
    VOCABULARY,
    # Book C and Movie A tell one story; so do Book C and Movie B.
    pl.DataFrame({"item_id": ["Book_C", "Book_C"], "other_id": ["Movie_A", "Movie_B"]}),
)
TRAIN = SessionStore.from_sequences([[0, 0, 1], [2, 3]])
ITEMS = ItemKnowledge(TrainFacts.of(TRAIN, 4), ATTRIBUTES, VOCABULARY.type_codes)
MEMBERS = ("one", "two")


def _table(session: list[int], *lists: dict[int, float]) -> list[dict[str, float]]:
    candidates = union([lists_of(rows) for rows in lists], 4, 9)
    blended = candidates.shares.sum(axis=1)
    table = features(candidates, blended, Queries.of([np.array(session)]), ITEMS)
    assert table.shape[1] == len(feature_names(MEMBERS))
    return [dict(zip(feature_names(MEMBERS), row.tolist(), strict=True)) for row in table]


def test_features_by_hand():
    # After A, C, A: the candidates B (of the first model), A (of both) and D (of the second).
    b, a, d = _table([0, 2, 0], {1: 0.6, 0: 0.4}, {0: 0.5, 3: 0.5})
    assert b["blend"] == pytest.approx(log(0.6), abs=1e-6)
    assert a["blend"] == pytest.approx(log(0.9), abs=1e-6)
    assert (b["one_share"], b["two_share"]) == pytest.approx((log(0.6), log(1e-9)), rel=1e-4)
    assert [(row["one_rank"], row["two_rank"]) for row in (b, a, d)] == [
        (1, 1000),
        (2, 1),
        (1000, 2),
    ]
    assert a["log_support"] == pytest.approx(log(3))
    assert [row["session_length"] for row in (b, a, d)] == [3, 3, 3]
    assert b["share_of_repeats"] == pytest.approx(1 / 3)
    assert b["log_support_of_last"] == pytest.approx(log(3))
    assert [row["events_since_item"] for row in (b, a, d)] == [1000, 0, 1000]
    assert [row["events_of_item"] for row in (b, a, d)] == [0, 2, 0]
    # Types are sorted by name: Book 0, Movie 1, Music 2.
    assert [row["type"] for row in (b, a, d)] == [1, 1, 2]
    assert b["type_of_last"] == 1
    assert b["share_of_type"] == pytest.approx(2 / 3)
    assert d["share_of_type"] == 0
    # B's creators are x and y: A has x, C has y. B's genre is h, which C has.
    assert (b["creators_shared_with_last"], b["creators_shared_with_session"]) == (0.5, 0.5)
    assert (b["genres_shared_with_last"], b["genres_shared_with_session"]) == (0, 1)
    # Who made D is unknown; its genre k is nobody else's.
    assert (d["creators_shared_with_last"], d["creators_shared_with_session"]) == (-1, -1)
    assert (d["genres_shared_with_last"], d["genres_shared_with_session"]) == (0, 0)


@pytest.mark.parametrize(
    ("session", "with_last", "with_session"),
    [
        # Candidates A, B, C, D.
        ([2], [1, 1, 0, 0], [1, 1, 0, 0]),
        ([2, 0], [0, 0, 1, 0], [1, 1, 1, 0]),
        ([0, 1, 3], [0, 0, 0, 0], [0, 0, 1, 0]),
        ([3], [0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_links_with_the_session(session: list[int], with_last: list[int], with_session: list[int]):
    rows = _table(session, {0: 0.4, 1: 0.3, 2: 0.2, 3: 0.1}, {})
    assert [row["linked_with_last"] for row in rows] == with_last
    assert [row["linked_with_session"] for row in rows] == with_session


def test_links_of_the_session_before_it_do_not_count():
    candidates = union([lists_of({0: 1.0}, {0: 1.0})], 4, 9)
    queries = Queries(np.array([2, 3]), np.array([0, 1]), np.array([1, 2]))
    table = features(candidates, candidates.shares.sum(axis=1), queries, ITEMS)
    assert table[:, -2:].tolist() == [[1, 1], [0, 0]]


def test_places_are_counted_from_the_end():
    (row,) = _table([2, 0, 1], {2: 1.0}, {})
    assert row["events_since_item"] == 2
    assert row["share_of_repeats"] == 0


def test_no_candidates_have_no_features():
    assert _table([0], {}, {}) == []
