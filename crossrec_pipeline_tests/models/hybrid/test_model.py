from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.errors import BundleError, TrainingError
from crossrec_pipeline.evaluation.ranking import rank_predictions, target_ranks
from crossrec_pipeline.models.candidates import ListScorer
from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
from crossrec_pipeline.models.hybrid.config import HybridConfig
from crossrec_pipeline.models.hybrid.features import LINKED, feature_names
from crossrec_pipeline.models.hybrid.model import Hybrid
from crossrec_pipeline.models.hybrid.reranker import Reranker
from crossrec_pipeline.models.item_links import LinkedItems
from crossrec_pipeline.models.registry import load_bundle, save_bundle
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import ExplicitScores
from crossrec_pipeline_tests.models.hybrid.small_world import (
    fitted_members,
    sessions,
    vocabulary,
)
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

VOCABULARY = vocabulary()
TRAIN, VALIDATION, TEST = sessions(600, 0), sessions(700, 1), sessions(200, 2)
MEMBERS = fitted_members(TRAIN)
CONFIG = HybridConfig(n_best=20, n_reranked=10, n_trees=20)


@pytest.fixture(scope="module")
def hybrid() -> Hybrid:
    model = Hybrid(MEMBERS, config=CONFIG)
    model.fit(TRAIN, VOCABULARY, VALIDATION)
    return model


def _mrr(model) -> float:
    return float((1 / target_ranks(model, TEST, VOCABULARY)).mean())


def test_a_hybrid_is_better_than_its_members(hybrid: Hybrid):
    best = max(_mrr(member) for member in MEMBERS.values())
    assert _mrr(hybrid) > best + 0.1


def test_weights_and_what_the_trees_brought_are_told():
    report = Hybrid(MEMBERS, config=CONFIG).fit(TRAIN, VOCABULARY, VALIDATION)
    told = report.summary
    assert told["predictions"] == VALIDATION.n_predictions
    weights = [
        told[f"weight_of_{name}_for_{kind}"] for name in MEMBERS for kind in ("Book", "Movie")
    ]
    assert sum(weights) / 2 == pytest.approx(1, rel=1e-5)
    assert told["reranked"] == (told["gain"] > 2 * told["standard_error_of_gain"])


def test_learning_again_gives_the_same_ranks(hybrid: Hybrid):
    again = Hybrid(MEMBERS, config=CONFIG)
    again.fit(TRAIN, VOCABULARY, VALIDATION)
    first, second = (rank_predictions(model, TEST, VOCABULARY) for model in (hybrid, again))
    assert first.equals(second)


@pytest.mark.parametrize("n_trees", [0, 20])
def test_lists_are_ranked_as_written_out_scores_are(n_trees: int):
    model = Hybrid(MEMBERS, config=CONFIG.model_copy(update={"n_trees": n_trees}))
    model.fit(TRAIN, VOCABULARY, VALIDATION)
    assert isinstance(model, ListScorer)
    rows = [
        (int(s), int(p), scores.tolist())
        for block in model.score_positions(TEST)
        for s, p, scores in zip(block.session, block.position, block.scores, strict=True)
    ]
    expected = rank_predictions(ExplicitScores(rows), TEST, VOCABULARY)
    assert rank_predictions(model, TEST, VOCABULARY).equals(expected)


def test_a_session_is_scored_as_its_position_is(hybrid: Hybrid):
    blocks = list(hybrid.score_positions(TEST))
    for block in blocks:
        for session, position, scores in list(
            zip(block.session, block.position, block.scores, strict=True)
        )[:10]:
            alone = hybrid.score([TEST[int(session)][: int(position)]])[0]
            # The last bits of a network's scores depend on how many sessions go together.
            np.testing.assert_allclose(alone, scores, rtol=1e-3, atol=1e-3)


def test_unlisted_items_follow_by_popularity(hybrid: Hybrid):
    scores = hybrid.score([np.array([3])])[0]
    unlisted = scores < 0
    np.testing.assert_array_equal(scores[unlisted], hybrid.floor()[unlisted])
    assert 0 < unlisted.sum() < len(scores)


def test_a_bundle_gives_the_same_scores(hybrid: Hybrid, tmp_path: Path):
    bundle = save_bundle(hybrid, VOCABULARY, tmp_path, inputs={})
    loaded = load_bundle(bundle.path)
    chosen = [np.array([3]), np.array([4, 6, 8])]
    np.testing.assert_array_equal(loaded.model.score(chosen), hybrid.score(chosen))
    assert loaded.model.config() == hybrid.config()


def test_attributes_are_kept_in_a_bundle(tmp_path: Path):
    items = pl.DataFrame(
        {
            "item_id": VOCABULARY.item_ids,
            "creators": [[f"c{i % 5}"] for i in range(VOCABULARY.n_items)],
            "genres": [[f"g{i % 3}"] for i in range(VOCABULARY.n_items)],
            "imputed": [[]] * VOCABULARY.n_items,
        },
        schema_overrides={"imputed": pl.List(pl.String)},
    )
    ids = VOCABULARY.item_ids
    links = pl.DataFrame({"item_id": ids[:20], "other_id": ids[20:40]})
    attributes = ItemAttributes.from_catalogue(items, VOCABULARY, links)
    model = Hybrid(MEMBERS, attributes, CONFIG)
    model.fit(TRAIN, VOCABULARY, VALIDATION)
    loaded = load_bundle(save_bundle(model, VOCABULARY, tmp_path, inputs={}).path)
    chosen = [np.array([1, 2])]
    np.testing.assert_array_equal(loaded.model.score(chosen), model.score(chosen))
    assert isinstance(loaded.model, Hybrid)
    kept = loaded.model._known_items.attributes.links.rows_from(0).to_list()
    assert kept == [*([i + 20] for i in range(20)), *([i] for i in range(20)), *[[]] * 20]


def test_links_that_tell_what_comes_next_are_used():
    # The walks go two steps on: each item is linked with that, which says what the members guess.
    ids = VOCABULARY.item_ids
    links = pl.DataFrame({"item_id": ids, "other_id": [*ids[2:], *ids[:2]]})
    nothing = ItemAttributes.unknown(VOCABULARY.n_items)
    linked = replace(nothing, links=LinkedItems.of(links, VOCABULARY.frame["item_id"]))
    report = Hybrid(MEMBERS, linked, CONFIG).fit(TRAIN, VOCABULARY, VALIDATION)
    assert report.summary["gain_of_linked_with_last"] > 0.05


def test_a_bundle_from_before_links_still_ranks(hybrid: Hybrid, tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    hybrid.save_weights(path)
    tensors = load_file(path)
    assert not {"link_offsets", "links"} & set(tensors)  # there are none, and they cost nothing
    names = [name for name in feature_names(tuple(MEMBERS)) if name not in LINKED]
    table = np.random.default_rng(0).random((4000, len(names))).astype(np.float32)
    is_target = table[:, 1].reshape(-1, 10).argmax(axis=1)[:, None] == np.arange(10)
    trees = Reranker.train(table, is_target.reshape(-1), np.full(400, 10), names, 5, 0)
    tensors["reranker"] = np.frombuffer(trees.text.encode(), dtype=np.uint8)
    save_file(tensors, path)

    restored = Hybrid.restore(hybrid.config(), path, VOCABULARY)

    ranked = restored.score([np.array([1, 2])])[0]
    # Ranked again: those are above all that is only blended.
    assert 0 < (ranked > 33).sum() <= CONFIG.n_reranked
    assert not restored.reads_links
    again = tmp_path / "again.safetensors"
    restored.save_weights(again)
    loaded = Hybrid.restore(hybrid.config(), again, VOCABULARY)
    np.testing.assert_array_equal(loaded.score([np.array([1, 2])])[0], ranked)


def test_what_was_learnt_is_used_over_members_that_were_trained_on_more(hybrid: Hybrid):
    more = SessionStore.from_sequences(
        [session.tolist() for part in (TRAIN, VALIDATION) for session in part]
    )
    over = hybrid.over(fitted_members(more), more, VOCABULARY)
    assert _mrr(over) > max(_mrr(member) for member in MEMBERS.values())
    assert not np.array_equal(over.floor(), hybrid.floor())
    with pytest.raises(TrainingError, match="learnt over gru4rec, vstan, sknn and 2 types"):
        hybrid.over({"vstan": MEMBERS["vstan"]}, TRAIN, VOCABULARY)


def test_weights_of_another_vocabulary_are_refused(hybrid: Hybrid, tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    hybrid.save_weights(path)
    with pytest.raises(BundleError, match="scores of 60 items, but the vocabulary has 3"):
        Hybrid.restore(hybrid.config(), path, numbered_vocabulary(3))


@pytest.mark.parametrize("validation", [None, SessionStore.from_sequences([[1]])])
def test_without_validation_there_is_nothing_to_learn_from(validation: SessionStore | None):
    with pytest.raises(TrainingError, match="learns from validation sessions"):
        Hybrid(MEMBERS).fit(TRAIN, VOCABULARY, validation)


@pytest.mark.parametrize("name", ["gru4rec", "sknn"])
def test_a_member_of_another_vocabulary_is_refused(name: str):
    model = Hybrid({name: MEMBERS[name]}, config=CONFIG)
    with pytest.raises(TrainingError, match=rf"'{name}' .* knows 60 items, .* has 61. Train it"):
        model.fit(TRAIN, numbered_vocabulary(61), VALIDATION)


def test_what_has_not_learnt_cannot_score():
    with pytest.raises(TrainingError, match="call fit"):
        Hybrid(MEMBERS).score([np.array([1])])
    with pytest.raises(TrainingError, match="call fit"):
        Hybrid(MEMBERS).floor()


def test_few_sessions_leave_the_blend_as_it_is():
    report = Hybrid(MEMBERS, config=CONFIG).fit(TRAIN, VOCABULARY, sessions(20, 3))
    assert report.summary["reranked"] is False


def test_no_more_predictions_are_looked_at_than_asked_for():
    config = CONFIG.model_copy(update={"max_predictions": 300})
    report = Hybrid(MEMBERS, config=config).fit(TRAIN, VOCABULARY, VALIDATION)
    assert 300 <= report.summary["predictions"] < 310
