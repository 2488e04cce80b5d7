"""Ranks of every test event under every model, the metrics made of them, and the report."""

import json
import shlex
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl

from crossrec_pipeline.atomic import atomic_directory, atomic_file
from crossrec_pipeline.defs.automation import with_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import column_schema, markdown_table
from crossrec_pipeline.defs.models import (
    MAIN_MODEL,
    MODEL_KINDS,
    REPORT_KEY,
    model_key,
    require_bundle,
)
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY, statistics_path
from crossrec_pipeline.digests import frame_digest, json_digest
from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.oracle import OracleRecommender
from crossrec_pipeline.evaluation.ranking import RANKS, rank_predictions
from crossrec_pipeline.evaluation.report import PartCounts, ReportContext, build_report
from crossrec_pipeline.evaluation.slices import ORACLE, evaluate, evaluate_chance
from crossrec_pipeline.interactions.world import build_world
from crossrec_pipeline.models.registry import load_bundle
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.sessions.store import PARTS, SessionDataset
from crossrec_pipeline.settings import Settings

RANKS_KEY = dg.AssetKey(["evaluation", "ranks"])


def metrics_path(settings: Settings) -> Path:
    """Return where the metrics of the last report lie."""
    return settings.evaluation_dir / "metrics.parquet"


def ranks_path(settings: Settings, model: str) -> Path:
    """Return where a model's ranks lie."""
    return settings.evaluation_dir / "ranks" / f"{model}.parquet"


def _ranked_bundles_path(ranks_dir: Path) -> Path:
    return ranks_dir / "bundles.json"


def ranked_bundles(settings: Settings) -> dict[str, str]:
    """Return the data version of each bundle that was ranked, by kind; none before that."""
    path = _ranked_bundles_path(settings.evaluation_dir / "ranks")
    return json.loads(path.read_text()) if path.exists() else {}


@dg.asset(
    key=RANKS_KEY,
    deps=[*(model_key(kind) for kind in MODEL_KINDS), SEQUENCES_KEY, ITEMS_KEY],
    group_name="evaluation",
    kinds={"parquet"},
    owners=["team:ml"],
    code_version="3",
    pool=DUCKDB_POOL,
    # The items make the law of a simulated log; a change of theirs comes back through the models.
    automation_condition=with_upstream(ignoring=dg.AssetSelection.assets(ITEMS_KEY, SEQUENCES_KEY)),
    description=(
        "For every test event after a session's first: the rank of the true next item among all "
        "items, under each model. Every figure is computed from these; nothing is scored twice."
    ),
)
@reports_errors
def ranks(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: Warehouse
) -> dg.MaterializeResult:
    """Rank the test events under each model and, on a simulated log, under its own law."""
    dataset = SessionDataset.open(settings.sessions_dir)
    frames: dict[str, pl.DataFrame] = {}
    ranked: dict[str, str] = {}
    for kind in MODEL_KINDS:
        loaded = load_bundle(require_bundle(settings, kind).path)
        if loaded.vocabulary.digest != dataset.vocabulary.digest:
            raise EvaluationError(
                f"models/{kind} was trained on other sessions than those in "
                f"{settings.sessions_dir}. Materialise models/{kind} first."
            )
        context.log.info(f"ranking {dataset.test.n_predictions:,} test events under {kind}")
        frames[kind] = rank_predictions(loaded.model, dataset.test, dataset.vocabulary)
        ranked[kind] = loaded.bundle.data_version
    if settings.events == "simulated":
        context.log.info("ranking under the exact law of the simulation")
        world = build_world(warehouse.read("catalogue.items"), settings.simulation.seed)
        oracle = OracleRecommender(world, dataset.vocabulary)
        frames[ORACLE] = rank_predictions(oracle, dataset.test, dataset.vocabulary)
    with atomic_directory(settings.evaluation_dir / "ranks") as partial:
        for name, frame in frames.items():
            frame.write_parquet(partial / f"{name}.parquet")
        _ranked_bundles_path(partial).write_text(json.dumps(ranked, indent=1))
    recall = {name: _recall(frame) for name, frame in frames.items()}
    table = pl.DataFrame(
        {"model": list(recall), "Recall@20": [f"{value:.4f}" for value in recall.values()]}
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(frame.height for frame in frames.values()),
            "dagster/column_schema": column_schema(RANKS),
            "predictions": dataset.test.n_predictions,
            "recall": dg.MetadataValue.md(markdown_table(table)),
            "preview": dg.MetadataValue.md(markdown_table(frames[MAIN_MODEL].head(8))),
        },
        data_version=dg.DataVersion(
            json_digest({name: frame_digest(frame) for name, frame in frames.items()})
        ),
    )


@dg.asset(
    key=REPORT_KEY,
    deps=[RANKS_KEY],
    group_name="evaluation",
    kinds={"markdown", "html"},
    owners=["team:ml"],
    code_version="2",
    automation_condition=with_upstream(),
    description=(
        "Precision, Recall, F1, MRR, NDCG and MAP of every model beside chance and, on a simulated "
        "log, beside the best that is possible; overall, by type and by transition between types."
    ),
)
@reports_errors
def report(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Compute the metrics from the ranks and write them up."""
    from crossrec_pipeline.evaluation.charts import (
        recall_by_model,
        recall_by_type,
        transition_heat_map,
    )
    from crossrec_pipeline.rendering import png_markdown

    dataset = SessionDataset.open(settings.sessions_dir)
    frames = {
        path.stem: pl.read_parquet(path)
        for path in sorted((settings.evaluation_dir / "ranks").glob("*.parquet"))
    }
    metrics = pl.concat(
        [
            evaluate_chance(frames[MAIN_MODEL], dataset.vocabulary),
            *(evaluate(name, frame, dataset.vocabulary.types) for name, frame in frames.items()),
        ]
    )
    written = build_report(metrics, _context(settings, dataset))
    with atomic_file(metrics_path(settings)) as partial:
        metrics.write_parquet(partial)
    for name, text in (("report.md", written.markdown), ("report.html", written.html)):
        with atomic_file(settings.evaluation_dir / name) as partial:
            partial.write_text(text)
    charts = [
        recall_by_model(metrics),
        recall_by_type(metrics),
        transition_heat_map(metrics, MAIN_MODEL),
    ]
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.md(written.markdown),
            "page": dg.MetadataValue.path(settings.evaluation_dir / "report.html"),
            **{
                name: dg.MetadataValue.md(png_markdown(chart))
                for name, chart in zip(
                    ("by model", "by type", "by transition"), charts, strict=True
                )
            },
            "recall_at_20": _recall(frames[MAIN_MODEL]),
        },
        data_version=dg.DataVersion(frame_digest(metrics)),
    )


def _recall(frame: pl.DataFrame) -> float:
    return float(np.mean(frame["rank"].to_numpy() <= HEADLINE_CUTOFF))


def _context(settings: Settings, dataset: SessionDataset) -> ReportContext:
    counts = json.loads(statistics_path(settings).read_text())
    bundles = {kind: require_bundle(settings, kind) for kind in MODEL_KINDS}
    simulated = settings.events in ("simulated", "uniform")
    return ReportContext(
        title="Next-item recommendations across domains",
        main_model=MAIN_MODEL,
        events=f"{settings.events}, seed {settings.simulation.seed}"
        if simulated
        else settings.events,
        n_items_by_type=dict(
            dataset.vocabulary.frame["item_type"].value_counts(sort=True, name="n").iter_rows()
        ),
        parts=[
            PartCounts(
                part,
                store.n_sessions,
                store.n_events,
                len(set(store.item_index.tolist())),
                counts["cold_events"].get(part, 0),
            )
            for part in PARTS
            if (store := getattr(dataset, part))
        ],
        validation_start=counts["validation_cut"],
        test_start=counts["test_cut"],
        data_versions={
            "sessions/sequences": dataset.digest,
            **{f"models/{kind}": bundle.data_version for kind, bundle in bundles.items()},
        },
        command=_command(settings),
        notes=_notes(settings),
        history=bundles[MAIN_MODEL].manifest["training"]["history"],
    )


def _command(settings: Settings) -> str:
    """Say how to get the figures again: the settings that are not the defaults, and the command."""
    usual = Settings.model_construct()
    sections = ("simulation", "sessions", "split", "training")
    given = [
        f"CROSSREC_{section.upper()}__{name.upper()}={value}"
        for section in sections
        for name, value in getattr(settings, section)
        if value != getattr(getattr(usual, section), name)
    ]
    if settings.events != usual.events:
        given.insert(0, f"CROSSREC_EVENTS={shlex.quote(settings.events)}")
    return " ".join([*given, "crossrec run"])


def _notes(settings: Settings) -> list[str]:
    sessions = settings.sessions
    notes = [
        f"A session ends after {sessions.gap_minutes:g} minutes without an event, unless the log "
        f"names its sessions; an item needs {sessions.min_support} events in train to be ranked."
    ]
    if settings.events == "uniform":
        notes.append(
            "Items were put into random sessions: there is nothing to learn, and a model that is "
            "further from chance than noise allows is measured wrongly."
        )
    return notes
