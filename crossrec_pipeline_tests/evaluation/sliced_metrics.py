"""Sliced metrics of four models on one small set of sessions, for charts and reports."""

from functools import cache

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.evaluation.slices import evaluate, evaluate_chance
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import ExplicitScores, vocabulary_of

TYPES = ["Movie", "Music", "Book"]
HISTORY = [
    {"epoch": epoch, "loss": 6.0 - 0.3 * epoch, "recall_at_20": 0.2 + 0.02 * epoch}
    for epoch in range(1, 5)
]


@cache
def sliced_metrics() -> pl.DataFrame:
    """Chance, markov, gru4rec and oracle, of falling noise; no Book ever follows a Movie."""
    vocabulary = vocabulary_of(["Movie"] * 30 + ["Music"] * 30 + ["Book"] * 30)
    rng = np.random.default_rng(0)
    sequences = [
        np.concatenate([rng.integers(0, 30, 2), rng.integers(30, 90, 3)]).tolist()
        for _ in range(60)
    ]
    for sequence in sequences:
        sequence[2] = 30 + sequence[2] % 30  # the first after the Movies is Music
    store = SessionStore.from_sequences(sequences)
    frames = []
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
        ranks = rank_predictions(ExplicitScores(rows), store, vocabulary)
        frames.append(evaluate(model, ranks, vocabulary.types, n_resamples=50))
    return pl.concat([*frames, evaluate_chance(ranks, vocabulary)])
