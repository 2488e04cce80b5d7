"""Ranks and lists of every model on the test events, the metrics made of them, and the report."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
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
    REPORT_KEY,
    model_key,
    model_kinds,
    require_bundle,
)
from crossrec_pipeline.defs.report_context import report_context
from crossrec_pipeline.defs.report_findings import (
    comparisons_path,
    costs_path,
    history_dir,
    list_metrics_path,
    lists_dir,
    ranks_dir,
    ranks_files,
    report_findings,
)
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.digests import frame_digest, json_digest
from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.beyond_accuracy import evaluate_lists, item_genres
from crossrec_pipeline.evaluation.contexts import contexts
from crossrec_pipeline.evaluation.costs import Cost, measure_cost, write_costs
from crossrec_pipeline.evaluation.examination import examine
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.oracle import OracleRecommender
from crossrec_pipeline.evaluation.ranked_bundles import (
    read_ranked_bundles,
    write_ranked_bundles,
)
from crossrec_pipeline.evaluation.ranking import RANKS, PositionScorer
from crossrec_pipeline.evaluation.report import build_report
from crossrec_pipeline.evaluation.report.figures import Figures
from crossrec_pipeline.evaluation.report.history import (
    keep,
    new_record,
    read_history,
    with_record,
)
from crossrec_pipeline.evaluation.report.standing import standing
from crossrec_pipeline.evaluation.significance import compare_all, resamples_for
from crossrec_pipeline.evaluation.slices import (
    ORACLE,
    evaluate,
    evaluate_chance,
    evaluate_chance_contexts,
    evaluate_contexts,
)
from crossrec_pipeline.interactions.world import build_world
from crossrec_pipeline.models.registry import LoadedBundle, load_bundle
from crossrec_pipeline.outputs import ALL_BUNDLES, CONTROLS, EVENTS, REPORT, SESSIONS, WAREHOUSE
from crossrec_pipeline.outputs import RANKS as RANKS_OUTPUT
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings

RANKS_KEY = dg.AssetKey(["evaluation", "ranks"])

_COMPARED_COLUMNS = ["session", "position", "target_index", "target_type", "rank"]


def metrics_path(settings: Settings) -> Path:
    """Return where the metrics of the last report lie."""
    return settings.evaluation_dir / "metrics.parquet"


def ranks_path(settings: Settings, model: str) -> Path:
    """Return where a model's ranks lie."""
    return settings.evaluation_dir / "ranks" / f"{model}.parquet"


def ranked_bundles(settings: Settings) -> dict[str, str]:
    """Return the data version of each bundle that was ranked, by kind; none before that."""
    return read_ranked_bundles(ranks_dir(settings))


def ranks_asset(settings: Settings) -> dg.AssetsDefinition:
    """Make the asset that reads every model that is trained."""
    # The items make the law of a simulated log; a change of theirs comes back through the models.
    only_read = dg.AssetSelection.assets(ITEMS_KEY, SEQUENCES_KEY)

    @dg.asset(
        key=RANKS_KEY,
        deps=[*(model_key(kind) for kind in model_kinds(settings)), SEQUENCES_KEY, ITEMS_KEY],
        group_name="evaluation",
        kinds={"parquet"},
        owners=["team:ml"],
        code_version="4",
        pool=DUCKDB_POOL,
        automation_condition=with_upstream(ignoring=only_read),
        description=(
            "For every test event after a session's first: the rank of the true next item among "
            "all items, under each model. Of a sample also what each model would show, and of "
            "each model its size and speed. Every figure is computed from these; nothing is "
            "scored twice."
        ),
    )
    @reports_errors
    @stored(reads=[SESSIONS, WAREHOUSE, *ALL_BUNDLES], writes=[RANKS_OUTPUT])
    def ranks(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: Warehouse,
    ) -> dg.MaterializeResult:
        return _rank_all(context, settings, warehouse)

    return ranks


def _rank_all(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: Warehouse
) -> dg.MaterializeResult:
    """Rank the test events under each model and, on a simulated log, under its own law."""
    dataset = SessionDataset.open(settings.sessions_dir)
    items = warehouse.read("catalogue.items")
    genres = item_genres(dataset.vocabulary, items)
    versions: dict[str, str] = {}
    ranked: dict[str, str] = {}
    recall: dict[str, float] = {}
    of_lists: list[pl.DataFrame] = []
    costs: list[Cost] = []
    preview = pl.DataFrame()
    with (
        atomic_directory(ranks_dir(settings)) as new_ranks,
        atomic_directory(lists_dir(settings)) as new_lists,
    ):
        for name, model, loaded in _models(settings, dataset, items):
            context.log.info(f"ranking {dataset.test.n_predictions:,} test events under {name}")
            found = examine(model, dataset.test, dataset.vocabulary)
            lists = found.lists.frame()
            found.ranks.write_parquet(new_ranks / f"{name}.parquet")
            lists.write_parquet(new_lists / f"{name}.parquet")
            of_lists.append(
                evaluate_lists(name, found.lists, found.ranks, dataset.vocabulary, genres)
            )
            versions[name] = json_digest([frame_digest(found.ranks), frame_digest(lists)])
            recall[name] = _recall(found.ranks)
            if loaded is not None:
                ranked[name] = loaded.bundle.data_version
                costs.append(measure_cost(loaded, dataset.test, found.predictions_per_second))
            if name == MAIN_MODEL:
                preview = found.ranks.head(8)
        write_ranked_bundles(new_ranks, ranked)
    list_metrics = pl.concat(of_lists)
    with atomic_file(list_metrics_path(settings)) as partial:
        list_metrics.write_parquet(partial)
    write_costs(costs, costs_path(settings))
    table = pl.DataFrame(
        {"model": list(recall), "Recall@20": [f"{value:.4f}" for value in recall.values()]}
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": dataset.test.n_predictions * len(versions),
            "dagster/column_schema": column_schema(RANKS),
            "predictions": dataset.test.n_predictions,
            "recall": dg.MetadataValue.md(markdown_table(table)),
            "preview": dg.MetadataValue.md(markdown_table(preview)),
        },
        # Sizes and times are not the same twice: they mark nothing as changed.
        data_version=dg.DataVersion(json_digest([versions, frame_digest(list_metrics)])),
    )


def _models(
    settings: Settings, dataset: SessionDataset, items: pl.DataFrame
) -> Iterator[tuple[str, PositionScorer, LoadedBundle | None]]:
    """Yield what is ranked by, one loaded model at a time; the oracle has no bundle.

    Raises
    ------
    EvaluationError
        If a model was trained on other sessions.
    """
    for kind in model_kinds(settings):
        loaded = load_bundle(require_bundle(settings, kind).path)
        if loaded.vocabulary.digest != dataset.vocabulary.digest:
            raise EvaluationError(
                f"models/{kind} was trained on other sessions than those in "
                f"{settings.sessions_dir}. Materialise models/{kind} first."
            )
        yield kind, loaded.model, loaded
    if settings.events == "simulated":
        world = build_world(items, settings.simulation.seed)
        yield ORACLE, OracleRecommender(world, dataset.vocabulary), None


@dg.asset(
    key=REPORT_KEY,
    deps=[RANKS_KEY],
    group_name="evaluation",
    kinds={"markdown", "html"},
    owners=["team:ml"],
    code_version="3",
    automation_condition=with_upstream(),
    description=(
        "Precision, Recall, F1, MRR, NDCG and MAP of every model beside chance and, on a simulated "
        "log, beside the best that is possible; overall, by type and by transition between types."
    ),
)
@reports_errors
@stored(reads=[SESSIONS, EVENTS, RANKS_OUTPUT, CONTROLS, *ALL_BUNDLES], writes=[REPORT])
def report(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Compute the metrics from the ranks and write them up."""
    dataset = SessionDataset.open(settings.sessions_dir)
    ranks = ranks_files(settings)
    metrics = _metrics(ranks, dataset)
    comparisons = _comparisons({kind: ranks[kind] for kind in ranked_bundles(settings)}, dataset)
    said = report_context(settings, dataset)
    metrics_version = frame_digest(metrics)
    record = new_record(
        metrics,
        metrics_version=metrics_version,
        data_versions=said.data_versions,
        code_version=version("crossrec-pipeline"),
        main_model=MAIN_MODEL,
        time=datetime.now(UTC),
    )
    history = with_record(read_history(history_dir(settings)), record)
    written = build_report(
        metrics, said, report_findings(settings, dataset, metrics, comparisons, history)
    )
    for path, frame in (
        (metrics_path(settings), metrics),
        (comparisons_path(settings), comparisons),
    ):
        with atomic_file(path) as partial:
            frame.write_parquet(partial)
    for name, text in (("report.md", written.markdown), ("report.html", written.html)):
        with atomic_file(settings.evaluation_dir / name) as partial:
            partial.write_text(text, encoding="utf-8")
    keep(history, written.html, history_dir(settings))
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.md(written.markdown),
            "page": dg.MetadataValue.path(settings.evaluation_dir / "report.html"),
            **_pictures(metrics),
            "recall_at_20": _recall(pl.read_parquet(ranks[MAIN_MODEL], columns=["rank"])),
        },
        data_version=dg.DataVersion(metrics_version),
    )


def _pictures(metrics: pl.DataFrame) -> dict[str, dg.MarkdownMetadataValue]:
    """Draw what the page of the asset shows."""
    from crossrec_pipeline.evaluation.charts import (
        recall_by_model,
        recall_by_type,
        transition_heat_map,
    )
    from crossrec_pipeline.rendering import png_markdown

    order = standing(Figures.read(metrics), MAIN_MODEL)
    charts = {
        "by model": recall_by_model(metrics, order.models, order.main, order.rival),
        "by type": recall_by_type(metrics, order.shown, order.main, order.rival),
        "by transition": transition_heat_map(metrics, order.main),
    }
    return {name: dg.MetadataValue.md(png_markdown(chart)) for name, chart in charts.items()}


def _metrics(ranks: Mapping[str, Path], dataset: SessionDataset) -> pl.DataFrame:
    """Evaluate one model after the other, so that one frame of ranks is held at a time."""
    vocabulary = dataset.vocabulary
    circumstances = contexts(dataset.test, dataset.train, vocabulary)
    main = pl.read_parquet(ranks[MAIN_MODEL])
    found = [
        evaluate_chance(main, vocabulary),
        evaluate_chance_contexts(main, circumstances, vocabulary),
    ]
    for name, path in ranks.items():
        frame = pl.read_parquet(path)
        found.append(evaluate(name, frame, vocabulary.types))
        found.append(evaluate_contexts(name, frame, circumstances))
    return pl.concat(found)


def _comparisons(ranks: Mapping[str, Path], dataset: SessionDataset) -> pl.DataFrame:
    """Compare the trained models two by two; the law of a simulated log is no rival of theirs."""
    frames = {
        name: pl.read_parquet(path, columns=_COMPARED_COLUMNS) for name, path in ranks.items()
    }
    return compare_all(frames, dataset.vocabulary.types, n_resamples=resamples_for(len(frames)))


def _recall(frame: pl.DataFrame) -> float:
    return float(np.mean(frame["rank"].to_numpy() <= HEADLINE_CUTOFF))
