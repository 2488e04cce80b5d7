"""A bundle, its model and test sessions go in; what the model costs on this machine comes out."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.latency import latencies_ms
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.registry import LoadedBundle
from crossrec_pipeline.sessions.store import SessionStore

N_TIMED_SESSIONS = 50
LATENCY_TOP_K = 20


@dataclass(frozen=True)
class Cost:
    """What one model costs.

    Attributes
    ----------
    model
        Its kind.
    bundle_bytes
        Size of weights, configuration and vocabulary on disk.
    fit_seconds
        Time of training; None where the bundle does not tell.
    predictions_per_second
        Ranked in the evaluation, all items each.
    latency_p50_ms, latency_p95_ms
        Median and 95 % quantile of the time to list one session's best `LATENCY_TOP_K` items, asked
        for one session at a time; None without sessions.
    """

    model: str
    bundle_bytes: int
    fit_seconds: float | None
    predictions_per_second: float
    latency_p50_ms: float | None
    latency_p95_ms: float | None


def measure_cost(
    loaded: LoadedBundle, store: SessionStore, predictions_per_second: float, seed: int = 0
) -> Cost:
    """Read what the bundle says of itself, and time single sessions.

    Parameters
    ----------
    loaded
        The model, and where it came from.
    store
        Sessions to ask for; `N_TIMED_SESSIONS` are drawn.
    predictions_per_second
        As measured while ranking.
    seed
        Of the draw.
    """
    latencies = session_latencies_ms(loaded.model, store, seed)
    p50, p95 = np.quantile(latencies, [0.5, 0.95]).tolist() if len(latencies) else (None, None)
    return Cost(
        model=loaded.bundle.kind,
        bundle_bytes=sum(file["bytes"] for file in loaded.manifest["files"].values()),
        fit_seconds=loaded.manifest["training"]["summary"].get("seconds"),
        predictions_per_second=predictions_per_second,
        latency_p50_ms=p50,
        latency_p95_ms=p95,
    )


def session_latencies_ms(model: Recommender, store: SessionStore, seed: int = 0) -> np.ndarray:
    """Time the best `LATENCY_TOP_K` items of drawn sessions, one by one; see `latencies_ms`.

    Returns
    -------
    float64 [min(`N_TIMED_SESSIONS`, n_sessions)]
        Milliseconds.
    """
    n_timed = min(N_TIMED_SESSIONS, store.n_sessions)
    drawn = np.random.default_rng(seed).choice(store.n_sessions, n_timed, replace=False)
    sessions = [np.asarray(store[int(session)]) for session in drawn]
    return latencies_ms(model, sessions, LATENCY_TOP_K)


def write_costs(costs: Sequence[Cost], path: Path) -> None:
    """Write as JSON, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(json.dumps([asdict(cost) for cost in costs], indent=2) + "\n")


def read_costs(path: Path) -> list[Cost]:
    """Read what `write_costs` wrote; nothing where there is no file.

    Raises
    ------
    EvaluationError
        If the file was not written by this version.
    """
    if not path.exists():
        return []
    try:
        return [Cost(**cost) for cost in json.loads(path.read_text())]
    except (TypeError, ValueError) as error:
        raise EvaluationError(
            f"{path} does not list costs of models ({error}). Delete it, or materialise "
            "evaluation/ranks again."
        ) from error
