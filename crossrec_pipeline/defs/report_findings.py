"""What lies in the evaluation's folder goes in; what the report shows beside metrics comes out."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from crossrec_pipeline.defs.models import MAIN_MODEL, require_bundle
from crossrec_pipeline.evaluation.controls.table import read_controls
from crossrec_pipeline.evaluation.costs import read_costs
from crossrec_pipeline.evaluation.examples import pick_examples
from crossrec_pipeline.evaluation.popularity_shares import popularity_shares
from crossrec_pipeline.evaluation.report import Findings
from crossrec_pipeline.evaluation.report.figures import Figures
from crossrec_pipeline.evaluation.report.history import ReportRecord
from crossrec_pipeline.evaluation.report.standing import standing
from crossrec_pipeline.evaluation.top_lists import TopLists
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings


def ranks_dir(settings: Settings) -> Path:
    """Return where the ranks lie, one file a model."""
    return settings.evaluation_dir / "ranks"


def lists_dir(settings: Settings) -> Path:
    """Return where the sampled lists lie, one file a model."""
    return settings.evaluation_dir / "top_lists"


def history_dir(settings: Settings) -> Path:
    """Return where the records of the reports so far lie."""
    return settings.evaluation_dir / "history"


def list_metrics_path(settings: Settings) -> Path:
    """Return where the metrics of the sampled lists lie."""
    return settings.evaluation_dir / "list_metrics.parquet"


def comparisons_path(settings: Settings) -> Path:
    """Return where the differences of the models lie, two by two."""
    return settings.evaluation_dir / "comparisons.parquet"


def controls_path(settings: Settings) -> Path:
    """Return where the controls lie, once they were made."""
    return settings.evaluation_dir / "controls.parquet"


def costs_path(settings: Settings) -> Path:
    """Return where sizes and times of the models lie."""
    return settings.evaluation_dir / "costs.json"


def ranks_files(settings: Settings) -> dict[str, Path]:
    """Return the file of each ranked model."""
    return {path.stem: path for path in sorted(ranks_dir(settings).glob("*.parquet"))}


def report_findings(
    settings: Settings,
    dataset: SessionDataset,
    metrics: pl.DataFrame,
    comparisons: pl.DataFrame,
    history: Sequence[ReportRecord],
) -> Findings:
    """Put together what the report shows besides the metrics.

    Parameters
    ----------
    settings
        Where everything lies.
    dataset
        The sessions that were ranked.
    metrics, comparisons
        As just made from the ranks.
    history
        Reports so far, this one the last.
    """
    lists = {
        path.stem: TopLists.of_frame(pl.read_parquet(path))
        for path in sorted(lists_dir(settings).glob("*.parquet"))
    }
    pair = standing(Figures.read(metrics), MAIN_MODEL).pair
    ranks = {model: pl.read_parquet(ranks_files(settings)[model]) for model in pair}
    targets = ranks[MAIN_MODEL]["target_index"].to_numpy()
    return Findings(
        comparisons=comparisons,
        list_metrics=pl.read_parquet(list_metrics_path(settings)),
        popularity=popularity_shares(lists, targets, dataset.vocabulary),
        examples=pick_examples(
            ranks, {model: lists[model] for model in pair}, dataset.test, dataset.vocabulary
        )
        if len(pair) == 2
        else (),
        costs=read_costs(costs_path(settings)),
        controls=_controls(settings, dataset),
        history=history,
    )


def _controls(settings: Settings, dataset: SessionDataset) -> pl.DataFrame | None:
    """Read the controls, if they were made of these sessions and of the newest main model."""
    path = controls_path(settings)
    if not path.exists():
        return None
    found = read_controls(path)
    newest = require_bundle(settings, MAIN_MODEL).data_version
    of_these = found.sessions_digest == dataset.digest and found.model_data_version == newest
    return found.rows if of_these else None
