"""A hybrid that takes up items which came after its training."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.candidates import Lists, Queries
from crossrec_pipeline.models.growth import find_new_items, grow
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
from crossrec_pipeline.models.hybrid.config import HybridConfig
from crossrec_pipeline.models.hybrid.features import features
from crossrec_pipeline.models.hybrid.members import lists_of_sessions
from crossrec_pipeline.models.hybrid.model import Hybrid
from crossrec_pipeline.models.hybrid.union import union
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.models.neighbours.sknn import SKNN
from crossrec_pipeline.models.popularity import log_shares
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.settings import ContentPart
from crossrec_pipeline_tests.models.hybrid.small_world import N_ITEMS, sessions, vocabulary
from crossrec_pipeline_tests.models.hybrid.written_lists import lists_of

VOCABULARY = vocabulary()
TRAIN, VALIDATION = sessions(400, 0), sessions(700, 1)
NEW = N_ITEMS
CATALOGUE = pl.DataFrame(
    {
        "item_id": VOCABULARY.item_ids,
        "item_type": VOCABULARY.frame["item_type"],
        "title": VOCABULARY.frame["title"],
        "creators": [[f"creator {i // 6}"] for i in range(N_ITEMS)],
        "genres": [[f"genre {i // 12}"] for i in range(N_ITEMS)],
        "imputed": [[]] * N_ITEMS,
    },
    schema_overrides={"imputed": pl.List(pl.String)},
)
LATER = pl.DataFrame(
    {
        "item_id": ["Book_later", "Movie_later"],
        "item_type": ["Book", "Movie"],
        "title": ["later", "later"],
        "creators": [["Creator 3"], ["somebody new"]],
        "genres": [["genre 1"], ["genre 4"]],
        "imputed": [[], []],
    },
    schema=CATALOGUE.schema,
)


LINKS = pl.DataFrame(
    {
        "item_id": ["Book_later", "Book_5", "Movie_later", "Book_1", "Book_later"],
        "other_id": ["Movie_4", "Movie_later", "Book_later", "Movie_2", "Movie_unheard of"],
    }
)


def _network(*content: ContentPart) -> GRU4Rec:
    config = GRU4RecConfig(hidden_size=8, epochs=2, content=content, device="cpu")
    known = ItemContent.of(CATALOGUE.select("item_id", "item_type"), CATALOGUE, None)
    model = GRU4Rec(config, progress_bar=False, content=known)
    model.fit(TRAIN, VOCABULARY, VALIDATION.only(np.arange(30)))
    return model


def _neighbours() -> SKNN:
    model = SKNN()
    model.fit(TRAIN, VOCABULARY)
    return model


NETWORK, NEIGHBOURS = _network("type", "genres", "creators"), _neighbours()


def _hybrid(members: dict, n_trees: int = 10) -> Hybrid:
    attributes = ItemAttributes.from_catalogue(CATALOGUE, VOCABULARY)
    config = HybridConfig(n_best=N_ITEMS + 2, n_reranked=N_ITEMS + 2, n_trees=n_trees)
    model = Hybrid(members, attributes, config)
    model.fit(TRAIN, VOCABULARY, VALIDATION)
    return model


HYBRID = _hybrid({"gru4rec": NETWORK, "sknn": NEIGHBOURS})
WHOLE = pl.concat([CATALOGUE, LATER])
FOUND = find_new_items(HYBRID, VOCABULARY, WHOLE, None).additions
GROWN, MORE = HYBRID.grown(FOUND), grow(HYBRID, VOCABULARY, FOUND)[1]
ASKED = [np.array([3]), np.array([4, 6, 8])]


def _listed(sessions: list[list[int]]) -> list[Lists]:
    members = [NETWORK.grown(FOUND), NEIGHBOURS]
    _, lists = lists_of_sessions(members, [np.array(s) for s in sessions], 5, N_ITEMS)
    return lists


def test_new_items_are_listed_and_scored():
    assert FOUND.items["item_id"].to_list() == ["Book_later", "Movie_later"]

    scores = GROWN.score(ASKED)

    assert scores.shape == (2, N_ITEMS + 2)
    # Trees have ranked all: such scores are above those of the blend and of the floor.
    assert HYBRID._ranker is not None
    assert HYBRID._ranker.reranker is not None
    assert (scores[:, NEW:] > 33).all()


def test_members_that_list_pass_over_new_items():
    _, lists = _listed([[4, NEW, 6], [NEW + 1], [NEW, NEW], [9]])
    without = NEIGHBOURS.lists(Queries.of([np.array([4, 6]), np.array([9])]))

    assert np.diff(lists.offsets).tolist() == [
        *np.diff(without.offsets)[:1],
        0,
        0,
        *np.diff(without.offsets)[1:],
    ]
    np.testing.assert_array_equal(lists.items, without.items)


def test_sessions_of_new_items_alone_are_listed_by_the_network_only():
    network, neighbours = _listed([[NEW], [NEW + 1, NEW]])

    assert len(neighbours.items) == 0
    assert neighbours.offsets.tolist() == [0, 0, 0]
    assert len(network.items) == 10
    assert np.isfinite(GROWN.score([np.array([NEW]), np.array([NEW + 1, NEW])])).all()


def test_what_members_list_of_known_items_stays():
    _, after = _listed([[4, 6]])
    before = lists_of_sessions([NEIGHBOURS], [np.array([4, 6])], 5)[1][0]

    np.testing.assert_array_equal(after.items, before.items)
    np.testing.assert_array_equal(after.scores, before.scores)


def test_positions_are_listed_as_sessions_are():
    store = SessionStore.from_sequences([[4, NEW, 6, 8], [NEW + 1, 7], [2, 4]])
    floor = GROWN.floor()

    rows = [
        (store[int(session)][: int(position)], lists.part(row, row + 1).dense(floor)[0])
        for block in GROWN.position_lists(store)
        for row, (session, position) in enumerate(zip(block.session, block.position, strict=True))
        for lists in [block.lists]
    ]

    assert len(rows) == store.n_predictions
    for session, scores in rows:
        np.testing.assert_allclose(scores, GROWN.score([session])[0], rtol=1e-3, atol=1e-3)


def test_a_new_item_that_no_member_lists_follows_as_one_without_events():
    counts = np.bincount(TRAIN.item_index, minlength=N_ITEMS)
    # Laplace's one event more of each item is counted over the items of train.
    expected = np.log(1 / (counts.sum() + N_ITEMS))

    assert GROWN.floor()[:N_ITEMS].tolist() == log_shares(counts).tolist()
    np.testing.assert_allclose(GROWN.floor()[N_ITEMS:], expected, atol=1e-4)


def test_a_grown_hybrid_is_kept(tmp_path: Path):
    GROWN.save_weights(tmp_path / "w")

    again = Hybrid.restore(GROWN.config(), tmp_path / "w", MORE)

    asked = [*ASKED, np.array([NEW]), np.array([5, NEW + 1])]
    np.testing.assert_array_equal(again.score(asked), GROWN.score(asked))


def test_a_grown_hybrid_may_grow_again():
    third = LATER.head(1).with_columns(pl.lit("Book_third").alias("item_id"))
    found = find_new_items(GROWN, MORE, pl.concat([CATALOGUE, LATER, third]), None).additions

    again, _ = grow(GROWN, MORE, found)

    assert found.items["item_id"].to_list() == ["Book_third"]
    assert again.score([np.array([NEW, NEW + 2])]).shape == (1, N_ITEMS + 3)


def test_new_items_bring_their_links():
    found = find_new_items(HYBRID, VOCABULARY, WHOLE, None, links=LINKS).additions

    links = HYBRID.grown(found)._known_items.attributes.links

    assert found.items["linked"].to_list() == [[4, NEW + 1], [5, NEW]]
    assert links.rows_from(NEW).to_list() == [[4, NEW + 1], [5, NEW]]
    assert links.rows_from(0).to_list()[:7] == [[], [], [], [], [NEW], [NEW + 1], []]
    assert FOUND.items["linked"].to_list() == [[], []]
    assert found.version != FOUND.version


def test_links_of_new_items_are_looked_at():
    found = find_new_items(HYBRID, VOCABULARY, WHOLE, None, links=LINKS).additions
    candidates = union([lists_of({NEW: 0.5, NEW + 1: 0.3, 4: 0.2})], N_ITEMS + 2, 9)
    queries = Queries.of([np.array([5, 4])])

    table = features(candidates, np.ones(3), queries, HYBRID.grown(found)._known_items)

    assert table[:, -2:].tolist() == [[1, 1], [0, 1], [0, 0]]


def test_a_model_that_looks_at_no_links_gets_none_of_new_items():
    without_trees = _hybrid({"gru4rec": NETWORK, "sknn": NEIGHBOURS}, n_trees=0)

    for model in (NETWORK, without_trees):
        found = find_new_items(model, VOCABULARY, WHOLE, None, links=LINKS).additions
        assert found.items["linked"].to_list() == [[], []]
        assert found.version == find_new_items(model, VOCABULARY, WHOLE, None).additions.version


def test_the_hybrid_itself_stays_as_it_was():
    assert HYBRID.score(ASKED).shape == (2, N_ITEMS)


def test_creators_of_new_items_are_those_of_the_others():
    attributes = GROWN._known_items.attributes
    rows = np.split(attributes.creators, attributes.creator_offsets[1:-1])

    # Items 18 to 23 are by creator 3.
    assert rows[NEW].tolist() == rows[18].tolist()
    assert rows[NEW + 1].tolist() not in [row.tolist() for row in rows[:NEW]]
    assert len(rows) == N_ITEMS + 2


def test_a_bundle_without_words_grows_and_new_items_share_nothing(tmp_path: Path):
    HYBRID.save_weights(tmp_path / "w")
    tensors = load_file(tmp_path / "w")
    del tensors["creator_words"], tensors["genre_words"]
    save_file(tensors, tmp_path / "old")

    old = Hybrid.restore(HYBRID.config(), tmp_path / "old", VOCABULARY)
    grown = old.grown(FOUND)

    np.testing.assert_array_equal(old.score(ASKED), HYBRID.score(ASKED))
    offsets = grown._known_items.attributes.creator_offsets
    assert np.diff(offsets)[N_ITEMS:].tolist() == [0, 0]
    assert grown.score([np.array([4, NEW])]).shape == (1, N_ITEMS + 2)


@pytest.mark.parametrize(
    "members",
    [
        {"gru4rec": _network(), "sknn": NEIGHBOURS},
        {"sknn": NEIGHBOURS},
        {"gru4rec": NETWORK, "other": NETWORK},
    ],
    ids=["ids alone", "no network", "two networks"],
)
def test_a_hybrid_without_one_network_that_has_a_head_cannot_grow(members: dict):
    model = Hybrid(members)

    assert model.head is None
    assert find_new_items(model, VOCABULARY, LATER, None).additions.n_items == 0
    with pytest.raises(TrainingError, match=r"one network .* CROSSREC_TRAINING__CONTENT"):
        model.grown(FOUND)
