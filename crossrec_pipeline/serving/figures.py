"""The last evaluation in; the figures that a service shows of its model out."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.ranked_bundles import read_ranked_bundles
from crossrec_pipeline.evaluation.report.figures import Figure, Figures
from crossrec_pipeline.evaluation.slices import CHANCE, ORACLE
from crossrec_pipeline.interactions.deliveries import shown_location
from crossrec_pipeline.models.registry import Bundle
from crossrec_pipeline.serving.api.schemas import (
    Evaluation,
    ModelFigures,
    TransitionFigures,
    TypeFigures,
)
from crossrec_pipeline.serving.api.schemas import Figure as Shown
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.settings import Settings

LABELS = {
    CHANCE: "Chance",
    "popularity": "Popularity",
    "markov": "Markov chain",
    "session_popularity": "Session popularity",
    "association_rules": "Association rules",
    "sequential_rules": "Sequential rules",
    "item_knn": "Item-KNN",
    "ease": "EASE",
    "sknn": "S-KNN",
    "vsknn": "V-SKNN",
    "vmis": "VMIS-kNN",
    "stan": "STAN",
    "vstan": "VSTAN",
    "hybrid": "Hybrid",
    "gru4rec": "GRU4Rec",
    ORACLE: "Law of the log",
}
"""Names of models as people write them."""

_HOW = (
    "The test sessions come after a cut in time; no model has learnt from them.",
    "Every item is ranked, none are sampled; ties count against the model.",
    "Each event after a session's first is predicted once, from the events before it.",
)
_SIMULATED = (
    "The log is simulated: the figures say how well models learn its law, not what people do."
)
_LAW = "The law of the log is what the log was drawn from: no model can be better, but by luck."
_UNIFORM = "The log is random: there is nothing to learn, and chance is all that can be reached."


def read_figures(bundle: Bundle, settings: Settings) -> Evaluation | None:
    """Read the figures of the last evaluation, if it was this bundle that it evaluated.

    Parameters
    ----------
    bundle
        What is to be served.
    settings
        Where the evaluation and the sessions lie, and where the log came from.

    Returns
    -------
    Evaluation or None
        None where there was no evaluation, it was of another bundle of the kind, or the metrics
        are not those of the ranks.
    """
    metrics_path = settings.evaluation_dir / "metrics.parquet"
    ranks_dir = settings.evaluation_dir / "ranks"
    if read_ranked_bundles(ranks_dir).get(bundle.kind) != bundle.data_version:
        return None
    if not metrics_path.exists():
        return None
    metrics = pl.read_parquet(metrics_path)
    figures = Figures.read(metrics)
    if not _are_of(figures, bundle.kind, ranks_dir):
        return None
    types = sorted(metrics.filter(slice="target_type")["target_type"].unique())
    return Evaluation(
        cutoff=HEADLINE_CUTOFF,
        n_predictions=figures.n(bundle.kind),
        n_items=bundle.manifest["vocabulary"]["items"],
        test_start=_test_start(settings),
        events=_where_from(settings),
        models=[
            _of_model(figures, model, is_served=model == bundle.kind)
            for model in sorted(figures.models, key=lambda name: -(figures.number(name) or 0.0))
        ],
        by_type=_by_type(figures, bundle.kind, types),
        transitions=_transitions(figures, bundle.kind, types),
        notes=_notes(settings, figures),
    )


def _are_of(figures: Figures, model: str, ranks_dir: Path) -> bool:
    """Say whether the metrics were made of the ranks that lie there now."""
    path = ranks_dir / f"{model}.parquet"
    if not path.exists():
        return False
    ranks = pl.read_parquet(path, columns=["rank"])["rank"].to_numpy()
    recall = figures.number(model)
    return (
        recall is not None
        and figures.n(model) == len(ranks)
        and bool(np.isclose(recall, np.mean(ranks <= HEADLINE_CUTOFF), rtol=0, atol=1e-9))
    )


def _figure(figures: Figures, model: str, about: Figure) -> Shown:
    low, high = figures.bounds(model, about)
    return Shown(value=figures.number(model, about) or 0.0, low=low, high=high)


def _of_model(figures: Figures, model: str, *, is_served: bool) -> ModelFigures:
    return ModelFigures(
        model=model,
        label=LABELS.get(model, model),
        served=is_served,
        recall=_figure(figures, model, Figure("recall")),
        mrr=_figure(figures, model, Figure("mrr")),
        ndcg=_figure(figures, model, Figure("ndcg")),
    )


def _by_type(figures: Figures, model: str, types: list[str]) -> list[TypeFigures]:
    """Show the types that have predictions."""
    found = []
    for name in types:
        recall = Figure(slice="target_type", target_type=name)
        if n := figures.n(model, recall):
            found.append(
                TypeFigures(
                    item_type=name,
                    n_predictions=n,
                    recall=_figure(figures, model, recall),
                    mrr=_figure(figures, model, replace(recall, metric="mrr")),
                    chance_recall=figures.number(CHANCE, recall) or 0.0,
                )
            )
    return found


def _transitions(figures: Figures, model: str, types: list[str]) -> list[TransitionFigures]:
    """Show the pairs of types that have predictions."""
    found = []
    for source, target in product(types, types):
        recall = Figure(slice="transition", source_type=source, target_type=target)
        if n := figures.n(model, recall):
            found.append(
                TransitionFigures(
                    source_type=source,
                    target_type=target,
                    n_predictions=n,
                    recall=_figure(figures, model, recall),
                    chance_recall=figures.number(CHANCE, recall) or 0.0,
                )
            )
    return found


def _test_start(settings: Settings) -> str | None:
    """Return when the first test session began, UTC."""
    test = SessionStore.open(settings.sessions_dir / "test")
    if not test.n_sessions:
        return None
    return datetime.fromtimestamp(int(test.start_us.min()) / 1e6, UTC).isoformat(timespec="seconds")


def _where_from(settings: Settings) -> str:
    """Name the log; of a path only the file, since everyone may read it."""
    if settings.events in ("simulated", "uniform"):
        return f"{settings.events}, seed {settings.simulation.seed}"
    return Path(shown_location(settings.events)).name


def _notes(settings: Settings, figures: Figures) -> list[str]:
    notes: list[str] = [*_HOW]
    if settings.events == "simulated":
        notes.insert(0, _SIMULATED)
    if settings.events == "uniform":
        notes.insert(0, _UNIFORM)
    if ORACLE in figures.models:
        notes.append(_LAW)
    return notes
