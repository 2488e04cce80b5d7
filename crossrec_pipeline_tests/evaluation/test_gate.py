import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.gate import (
    Rival,
    champion_ranks,
    judge_latency,
    judge_leaks,
    judge_overall,
    judge_size,
    judge_types,
    paired_difference,
)
from crossrec_pipeline.evaluation.ranking import RANKS, rank_predictions, target_ranks
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.models.registry import LoadedBundle, load_bundle, save_bundle
from crossrec_pipeline.sessions.leaks import LOG_ITEMS, LeakFinding
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import GateSettings
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary, vocabulary_of

GATE = GateSettings(min_predictions=3)
MISS = 30


def ranks_of(ranks: Sequence[int], types: Sequence[str] | None = None) -> pl.DataFrame:
    """Make predictions of sessions of their own; only what the gate reads is meant."""
    n = len(ranks)
    return pl.DataFrame(
        {
            "session": range(n),
            "position": [1] * n,
            "source_type": ["Movie"] * n,
            "target_type": types or ["Movie"] * n,
            "target_index": [0] * n,
            "rank": ranks,
            "rank_within_type": ranks,
            "target_support": [1] * n,
            "rest_ranks": [[rank] for rank in ranks],
        },
        schema=pl.Schema(RANKS),
    )


def loaded(
    model: Recommender, train: SessionStore, vocabulary: Vocabulary, folder: Path
) -> LoadedBundle:
    model.fit(train, vocabulary)
    return load_bundle(save_bundle(model, vocabulary, folder, inputs={}).path)


# The paired bootstrap


def test_equal_models_differ_by_nothing() -> None:
    found = paired_difference(np.arange(5), np.zeros(5), 0.95)
    assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_a_difference_that_every_session_has_is_certain() -> None:
    found = paired_difference(np.arange(50), np.full(50, -0.5), 0.95)
    assert (found.mean, found.low, found.high) == (-0.5, -0.5, -0.5)


def test_predictions_of_one_session_are_drawn_together() -> None:
    # Of ten sessions of 100 predictions half is better by 1, half worse: the mean of ten signs,
    # with a standard error of 1 / sqrt(10) = 0.32 and not of 1 / sqrt(1000) = 0.03.
    session = np.repeat(np.arange(10), 100)
    found = paired_difference(session, np.where(session % 2, 1.0, -1.0), 0.95)
    assert 0.4 < found.high < 0.8
    assert -0.8 < found.low < -0.4


def test_no_predictions_cannot_be_compared() -> None:
    with pytest.raises(EvaluationError, match="no predictions"):
        paired_difference(np.array([]), np.array([]), 0.95)


@given(
    sessions=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    seed=st.integers(0, 1_000),
)
@hypothesis_settings(max_examples=20, deadline=None)
def test_bootstrap_equals_a_plain_one(sessions: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=len(sessions))
    found = paired_difference(np.array(sessions), values, 0.9, seed=seed)
    of_session = [
        [value for value, other in zip(values, sessions, strict=True) if other == session]
        for session in sorted(set(sessions))
    ]
    drawn = np.random.default_rng(seed).integers(
        0, len(of_session), (2_000, len(of_session)), dtype=np.int32
    )
    means = [
        sum(sum(of_session[n]) for n in row) / sum(len(of_session[n]) for n in row) for row in drawn
    ]
    assert found.low == pytest.approx(np.quantile(means, 0.05))
    assert found.high == pytest.approx(np.quantile(means, 0.95))


# Ranks


def test_a_challenger_that_is_worse_everywhere_fails_with_its_figures() -> None:
    rival = Rival("the champion", np.array([1] * 10))
    recall, mrr = judge_overall(ranks_of([MISS] * 10), rival, GATE)
    assert recall.name == "Recall@20 against the champion"
    # From rank 1 to a miss: both fall by 1, in every session.
    assert (recall.figure, recall.bound, recall.passed) == (-1, 0, False)
    assert (mrr.figure, mrr.bound, mrr.passed) == (-1, 0, False)


def test_a_challenger_may_be_worse_by_chance() -> None:
    rival = Rival("the champion", np.array([1, 1, 1, MISS, MISS, 1]))
    conditions = judge_overall(ranks_of([1, 1, 1, 1, MISS, MISS]), rival, GATE)
    assert all(condition.passed for condition in conditions)


def test_mrr_alone_can_fail() -> None:
    # Rank 20 in place of 1: recall@20 stays, the reciprocal rank falls by 0.95.
    rival = Rival("the champion", np.array([1] * 10))
    recall, mrr = judge_overall(ranks_of([20] * 10), rival, GATE)
    assert recall.passed
    assert not mrr.passed
    assert mrr.figure == pytest.approx(-0.95)


def test_tolerance_is_what_may_be_lost() -> None:
    rival = Rival("the champion", np.array([1] * 10))
    worse = ranks_of([2] * 10)  # the reciprocal rank falls by 0.5
    allowed = GATE.model_copy(update={"tolerance": 0.5})
    assert all(condition.passed for condition in judge_overall(worse, rival, allowed))
    stricter = GATE.model_copy(update={"tolerance": 0.49})
    assert not all(condition.passed for condition in judge_overall(worse, rival, stricter))


def test_a_type_that_suffers_fails_though_the_whole_gains() -> None:
    types = ["Book"] * 20 + ["Movie"] * 5
    challenger = ranks_of([1] * 20 + [MISS] * 5, types)
    rival = Rival("the champion", np.array([MISS] * 20 + [1] * 5))
    assert all(condition.passed for condition in judge_overall(challenger, rival, GATE))
    failed = [c.name for c in judge_types(challenger, rival, GATE) if not c.passed]
    assert failed == [
        "Recall@20 of Movie against the champion",
        "MRR@20 of Movie against the champion",
    ]


def test_a_type_with_few_predictions_is_not_judged_and_says_so() -> None:
    challenger = ranks_of([1, 1, 1, MISS, MISS], ["Book"] * 3 + ["Movie"] * 2)
    *_, movies = judge_types(challenger, Rival("the champion", np.ones(5, np.int64)), GATE)
    assert movies.passed
    assert movies.note == "not judged: 2 predictions, 3 are needed"


def test_ranks_of_other_predictions_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"5 ranks and its rival 4.*evaluation/ranks"):
        judge_overall(ranks_of([1] * 5), Rival("popularity", np.ones(4, np.int64)), GATE)


# A champion of another vocabulary

TRAIN = SessionStore.from_sequences([[0, 1, 2], [0, 1, 2], [2, 3, 0]])


def test_a_champion_of_the_same_vocabulary_is_ranked_as_it_is(tmp_path: Path) -> None:
    champion = loaded(Markov(), TRAIN, numbered_vocabulary(4), tmp_path)
    test = SessionStore.from_sequences([[0, 1, 2, 3], [3, 0]])
    ranks = champion_ranks(champion, test, numbered_vocabulary(4))
    expected = rank_predictions(champion.model, test, numbered_vocabulary(4))["rank"]
    assert ranks.tolist() == expected.to_list()


def test_a_champion_meets_items_by_their_ids(tmp_path: Path) -> None:
    champion = loaded(Markov(), TRAIN, numbered_vocabulary(4), tmp_path)
    renumbered = vocabulary_of("Movie_3", "Movie_2", "Movie_1", "Movie_0")
    test = SessionStore.from_sequences([[3, 2, 1, 0], [0, 3]])
    as_trained = SessionStore.from_sequences([[0, 1, 2, 3], [3, 0]])
    expected = target_ranks(champion.model, as_trained, champion.vocabulary)
    assert champion_ranks(champion, test, renumbered).tolist() == expected.tolist()


def test_unknown_targets_are_missed_and_unknown_items_left_out_of_the_session(
    tmp_path: Path,
) -> None:
    champion = loaded(Markov(), TRAIN, numbered_vocabulary(4), tmp_path)
    vocabulary = vocabulary_of(*champion.vocabulary.item_ids, "Movie_new", "Movie_newer")
    new, newer = 4, 5
    test = SessionStore.from_sequences([[0, new, 1], [new, 0, 1], [new, newer], [2, new]])
    known = target_ranks(
        champion.model, SessionStore.from_sequences([[0, 1]]), champion.vocabulary
    )[0]
    # In the third session nothing is known, in the second nothing before its second event.
    missed = 21
    assert champion_ranks(champion, test, vocabulary).tolist() == [
        *(missed, known),
        *(missed, known),
        missed,
        missed,
    ]


def test_a_champion_that_knows_nothing_misses_everywhere(tmp_path: Path) -> None:
    champion = loaded(Markov(), TRAIN, numbered_vocabulary(4), tmp_path)
    others = vocabulary_of(*(f"Book_{index}" for index in range(40)))
    test = SessionStore.from_sequences([[0, 1, 2]])
    assert champion_ranks(champion, test, others).tolist() == [40, 40]


# Size, latency, leaks


def test_size_is_that_of_the_hashed_files(tmp_path: Path) -> None:
    bundle = loaded(Popularity(), TRAIN, numbered_vocabulary(4), tmp_path).bundle
    names = ("weights.safetensors", "config.json", "vocabulary.parquet")
    size = sum((bundle.path / name).stat().st_size for name in names) / 1_000_000
    judged = judge_size(bundle, GATE.model_copy(update={"max_bundle_mb": size}))
    assert (judged.figure, judged.passed) == (size, True)
    assert not judge_size(bundle, GATE.model_copy(update={"max_bundle_mb": size / 2})).passed


def test_latency_is_measured_on_test_sessions() -> None:
    model = Popularity()
    model.fit(TRAIN, numbered_vocabulary(4))
    judged = judge_latency(model, TRAIN, GATE)
    assert judged.passed
    assert judged.note == "95th percentile of 3 test sessions, one at a time"
    assert not judge_latency(model, TRAIN, GATE.model_copy(update={"max_latency_ms": 1e-9})).passed


def test_a_bundle_that_knows_a_canary_fails(tmp_path: Path) -> None:
    log = pl.DataFrame(
        {"item_id": [f"Movie_{n}" for n in range(4)], "before": [3, 2, 3, 1]}, schema=LOG_ITEMS
    )
    challenger = loaded(Popularity(), TRAIN, numbered_vocabulary(4), tmp_path)
    clean = judge_leaks([LeakFinding("cold_items", 0)], challenger, TRAIN, log)
    assert [condition.passed for condition in clean] == [True, True, True]

    planted = log.with_columns(before=pl.Series([3, 2, 3, 0]))
    audit, vocabulary, recommended = judge_leaks(
        [LeakFinding("users_future", 2, ("user ann",))], challenger, TRAIN, planted
    )
    assert (audit.figure, audit.passed) == (2, False)
    assert (vocabulary.figure, vocabulary.passed) == (1, False)
    assert (recommended.figure, recommended.passed) == (1, False)


def test_a_recommended_item_is_looked_up_in_the_bundles_own_vocabulary(tmp_path: Path) -> None:
    challenger = loaded(Popularity(), TRAIN, numbered_vocabulary(4), tmp_path)
    swapped = dataclasses.replace(challenger, vocabulary=vocabulary_of("A_a", "A_b", "A_c", "A_d"))
    log = pl.DataFrame({"item_id": ["A_d"], "before": [0]}, schema=LOG_ITEMS)
    assert [condition.passed for condition in judge_leaks([], swapped, TRAIN, log)] == [False] * 2
