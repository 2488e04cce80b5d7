"""Ranks of a challenger and of what it must not be worse than go in; conditions come out.

All models are compared on the same test predictions, session by session.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.bootstrap import (
    resampled_sums,
    session_numbers,
    session_sums,
)
from crossrec_pipeline.evaluation.latency import latencies_ms
from crossrec_pipeline.evaluation.metrics import mrr, recall
from crossrec_pipeline.evaluation.metrics.relevant import Relevant
from crossrec_pipeline.evaluation.ranking import target_ranks
from crossrec_pipeline.models.base import Recommender, top_k
from crossrec_pipeline.models.registry import Bundle, LoadedBundle
from crossrec_pipeline.models.verdict import Condition
from crossrec_pipeline.sessions.leaks import LeakFinding, find_cold_items
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import GateSettings

CUTOFF = 20
LATENCY_SESSIONS = 100

_METRICS = {"Recall@20": recall.per_prediction, "MRR@20": mrr.per_prediction}
_RESAMPLES = 2_000
_BYTES_PER_MB = 1_000_000


@dataclass(frozen=True)
class Rival:
    """A model that the challenger must not be worse than.

    Attributes
    ----------
    name
        In words, such as ``the champion``.
    ranks
        Its rank of each test prediction's target, int [n_predictions].
    """

    name: str
    ranks: np.ndarray


@dataclass(frozen=True)
class Difference:
    """Mean of the paired differences and its percentile interval."""

    mean: float
    low: float
    high: float


def paired_difference(
    session: np.ndarray, difference: np.ndarray, confidence: float, *, seed: int = 0
) -> Difference:
    """Bootstrap the mean difference of two models over whole sessions.

    Both models are resampled together, so what makes a session hard for both does not widen the
    interval (paired bootstrap, Efron and Tibshirani 1993, chapter 13).

    Parameters
    ----------
    session
        Session of each prediction, int [P].
    difference
        One model's metric minus the other's for each prediction, float [P].
    confidence
        Share of the resamples inside the interval, above 0 and below 1.
    seed
        Equal seeds give equal intervals.

    Raises
    ------
    EvaluationError
        If there are no predictions.
    """
    if len(session) == 0:
        raise EvaluationError("There are no predictions to compare two models by.")
    cell = np.zeros(len(session), dtype=np.int64)
    sums = session_sums(session_numbers(session), cell, 1, [difference])
    counts, totals = resampled_sums(sums, _RESAMPLES, seed)[:, :, 0].T
    means = totals / counts
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Difference(float(difference.mean()), float(low), float(high))


def judge_overall(
    challenger: pl.DataFrame, rival: Rival, settings: GateSettings
) -> list[Condition]:
    """Ask whether a challenger is significantly worse than a rival on all predictions.

    Parameters
    ----------
    challenger
        Its ranks, as from `rank_predictions`.
    rival
        Ranked on the same predictions, in the same order.
    settings
        `confidence` and `tolerance` are used.

    Returns
    -------
    list of Condition
        One a metric. The figure is the upper bound of the difference (challenger − rival): the
        condition fails when even that is below −`tolerance`.
    """
    return _not_worse(challenger, rival.ranks, f"against {rival.name}", settings)


def judge_types(challenger: pl.DataFrame, rival: Rival, settings: GateSettings) -> list[Condition]:
    """Ask the same as `judge_overall` of the predictions of each target type.

    A type with fewer predictions than `min_predictions` is not judged, and its condition says so.
    """
    types = challenger["target_type"].to_numpy()
    conditions: list[Condition] = []
    for name in sorted(set(types)):
        rows = np.flatnonzero(types == name)
        against = f"of {name} against {rival.name}"
        if len(rows) >= settings.min_predictions:
            conditions += _not_worse(challenger[rows], rival.ranks[rows], against, settings)
        else:
            note = f"not judged: {len(rows)} predictions, {settings.min_predictions} are needed"
            conditions.append(Condition(f"ranks {against}", None, None, True, note))
    return conditions


def judge_size(bundle: Bundle, settings: GateSettings) -> Condition:
    """Ask whether a bundle's files are small enough to be served."""
    size = bundle.size_bytes / _BYTES_PER_MB
    bound = settings.max_bundle_mb
    return Condition("size of the bundle, MB", size, bound, size <= bound)


def judge_latency(model: Recommender, test: SessionStore, settings: GateSettings) -> Condition:
    """Ask whether one session is scored, and its best 20 items found, fast enough."""
    latencies = latencies_ms(model, _sample(test), CUTOFF)
    latency, n_sessions = float(np.quantile(latencies, 0.95)), len(latencies)
    note = f"95th percentile of {n_sessions} test sessions, one at a time"
    bound = settings.max_latency_ms
    return Condition("latency, ms", latency, bound, latency <= bound, note)


def judge_leaks(
    findings: Sequence[LeakFinding],
    challenger: LoadedBundle,
    test: SessionStore,
    log_items: pl.DataFrame,
) -> list[Condition]:
    """Ask whether the sessions leak, and whether the bundle knows an item it cannot have learnt.

    Parameters
    ----------
    findings
        Of `sessions.leaks.audit_leaks`.
    challenger
        Its own vocabulary is looked at, not that of the sessions.
    test
        Sessions whose recommendations are looked at, over the challenger's vocabulary.
    log_items
        Columns of `sessions.leaks.LOG_ITEMS`.
    """
    conditions = [
        Condition(f"leak audit: {finding.name}", finding.n_found, 0, finding.passed, str(finding))
        for finding in findings
    ]
    known = find_cold_items(challenger.vocabulary, log_items)
    conditions.append(
        Condition("cold items in the bundle", known.n_found, 0, known.passed, str(known))
    )
    shown = _recommended(challenger, test)
    cold = set(log_items.filter(pl.col("before") == 0)["item_id"]) & shown
    note = f"of {len(shown)} items recommended for {LATENCY_SESSIONS} test sessions"
    conditions.append(Condition("cold items recommended", len(cold), 0, not cold, note))
    return conditions


def champion_ranks(
    champion: LoadedBundle, test: SessionStore, vocabulary: Vocabulary
) -> np.ndarray:
    """Rank today's test predictions under a champion, whatever vocabulary it was trained with.

    Items are met by their ids. A champion of another vocabulary gets each session as it would be
    served: items that it does not know are left out. It misses (rank `vocabulary.n_items`, at
    least) where it does not know the target, or nothing of the session so far. Its ranks are among
    the items of its own vocabulary: they are the places on the lists it would show.

    Parameters
    ----------
    champion
        The served model.
    test
        Sessions over `vocabulary`.
    vocabulary
        Of the challenger.

    Returns
    -------
    int32 [n_predictions]
        Ordered by session and position, as from `rank_predictions`.
    """
    if champion.vocabulary.digest == vocabulary.digest:
        return target_ranks(champion.model, test, vocabulary)
    theirs = np.array(
        [
            champion.vocabulary.index_of(item_id) if item_id in champion.vocabulary else -1
            for item_id in vocabulary.item_ids
        ],
        dtype=np.int32,
    )
    item = theirs[test.item_index]
    session = np.repeat(np.arange(test.n_sessions), test.lengths)
    n_known = np.bincount(session[item >= 0], minlength=test.n_sessions)
    # One known item alone predicts nothing, and need not be asked about.
    kept = (item >= 0) & (n_known >= 2)[session]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(n_known[n_known >= 2])])
    served = SessionStore(
        item_index=item[kept],
        offsets=offsets,
        start_us=np.asarray(test.start_us)[n_known >= 2],
        end_us=np.asarray(test.end_us)[n_known >= 2],
        keys=test.keys.filter(pl.Series(n_known >= 2)),
    )
    ranks = np.full(test.n_events, max(vocabulary.n_items, CUTOFF + 1), dtype=np.int32)
    predicted = np.ones(served.n_events, dtype=bool)
    predicted[offsets[:-1]] = False
    if served.n_sessions:
        known = target_ranks(champion.model, served, champion.vocabulary)
        ranks[np.flatnonzero(kept)[predicted]] = known
    is_prediction = np.ones(test.n_events, dtype=bool)
    is_prediction[np.asarray(test.offsets)[:-1]] = False
    return ranks[is_prediction]


def _not_worse(
    challenger: pl.DataFrame, rival_ranks: np.ndarray, against: str, settings: GateSettings
) -> list[Condition]:
    if len(rival_ranks) != challenger.height:
        raise EvaluationError(
            f"The challenger has {challenger.height} ranks and its rival {len(rival_ranks)}. "
            "Rank both on the same test sessions: materialise evaluation/ranks."
        )
    session = challenger["session"].to_numpy()
    bound = 0.0 - settings.tolerance
    ours = Relevant.next_item(challenger)
    theirs = Relevant.next_item(challenger.with_columns(rank=pl.Series(rival_ranks)))
    conditions = []
    for name, per_prediction in _METRICS.items():
        values = per_prediction(ours, CUTOFF) - per_prediction(theirs, CUTOFF)
        found = paired_difference(session, values, settings.confidence)
        conditions.append(
            Condition(
                f"{name} {against}",
                found.high,
                bound,
                found.high >= bound,
                f"upper bound of the difference {found.mean:+.4f} "
                f"({settings.confidence:.0%} interval {found.low:+.4f} to {found.high:+.4f}, "
                f"{len(session):,} predictions)",
            )
        )
    return conditions


def _sample(test: SessionStore) -> list[np.ndarray]:
    """Take up to `LATENCY_SESSIONS` sessions, evenly spread."""
    n_sessions = min(LATENCY_SESSIONS, test.n_sessions)
    chosen = np.linspace(0, test.n_sessions - 1, n_sessions).astype(np.int64)
    return [np.asarray(test[int(session)]) for session in chosen]


def _recommended(challenger: LoadedBundle, test: SessionStore) -> set[str]:
    scores = challenger.model.score(_sample(test))
    indexes, _ = top_k(scores, CUTOFF)
    return {challenger.vocabulary.item_ids[index] for index in np.unique(indexes)}
