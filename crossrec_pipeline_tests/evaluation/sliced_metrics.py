"""Ranks and metrics of a few models on one small set of sessions, for charts and reports."""

from functools import cache

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.contexts import contexts
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.evaluation.slices import (
    evaluate,
    evaluate_chance,
    evaluate_chance_contexts,
    evaluate_contexts,
)
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.evaluation.explicit_scores import ExplicitScores, vocabulary_of

TYPES = ["Movie", "Music", "Book"]
HISTORY = [
    {"epoch": epoch, "loss": 6.0 - 0.3 * epoch, "recall_at_20": 0.2 + 0.02 * epoch}
    for epoch in range(1, 5)
]


@cache
def ranked() -> tuple[SessionStore, Vocabulary, dict[str, pl.DataFrame]]:
    """Ranks of markov, gru4rec and oracle, of falling noise; no Book ever follows a Movie."""
    vocabulary = vocabulary_of(["Movie"] * 30 + ["Music"] * 30 + ["Book"] * 30)
    rng = np.random.default_rng(0)
    sequences = [
        np.concatenate([rng.integers(0, 30, 2), rng.integers(30, 90, 3)]).tolist()
        for _ in range(60)
    ]
    for sequence in sequences:
        sequence[2] = 30 + sequence[2] % 30  # the first after the Movies is Music
    store = SessionStore.from_sequences(sequences)
    frames = {}
    for model, noise in (("markov", 2.0), ("gru4rec", 1.0), ("oracle", 0.3)):
        rows = [
            (
                session,
                position,
                (np.arange(90) == sequence[position]) + noise * rng.standard_normal(90),
            )
            for session, sequence in enumerate(sequences)
            for position in range(1, 5)
        ]
        frames[model] = rank_predictions(ExplicitScores(rows), store, vocabulary)
    return store, vocabulary, frames


@cache
def sliced_metrics() -> pl.DataFrame:
    """Chance and the models of `ranked`, overall and by type."""
    _, vocabulary, frames = ranked()
    chance = evaluate_chance(frames["oracle"], vocabulary)
    models = [evaluate(name, of, vocabulary.types, n_resamples=50) for name, of in frames.items()]
    return pl.concat([*models, chance])


@cache
def contextual_metrics() -> pl.DataFrame:
    """The same models by context; there is one session a second of a Thursday."""
    store, vocabulary, frames = ranked()
    where = contexts(store, store, vocabulary)
    models = [evaluate_contexts(name, of, where, n_resamples=50) for name, of in frames.items()]
    return pl.concat([*models, evaluate_chance_contexts(frames["oracle"], where, vocabulary)])
