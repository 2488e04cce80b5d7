"""The whole pipeline over a real log: 148,205 dated reviews of movies and books by 15,352 users.

    python benchmarks/real_events.py --data DIR [--preset default]

DIR is the folder that ``CROSSREC_REAL_DATA`` names for the tests. Everything goes through the
Dagster assets into a temporary folder: items and events are loaded, checked, split and trained on,
and test is ranked once. Other settings come from the environment as always, for example
``CROSSREC_SESSIONS__MIN_SUPPORT=10``; only the session gap has another default here, because the
log's times are days (see `crossrec_pipeline_tests.amazon`).
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.evaluation import metrics_path
from crossrec_pipeline.defs.models import MAIN_MODEL, require_bundle
from crossrec_pipeline.defs.sessions import statistics_path
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.slices import model_order
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.amazon import LONGEST_RECORD_MINUTES, Delivery, deliver

SLICES = ("overall", "target_type")
GAP_VARIABLE = "CROSSREC_SESSIONS__GAP_MINUTES"


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--data", type=Path, required=True, help="folder of the real data")
    options.add_argument("--preset", default="default", help="preset of GRU4Rec")
    given = options.parse_args()
    os.environ.setdefault(GAP_VARIABLE, str(LONGEST_RECORD_MINUTES))
    os.environ["CROSSREC_TRAINING__PRESET"] = given.preset

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        delivery = deliver(given.data, Path(folder))
        settings = load_settings(data_dir=Path(folder) / "data", **delivery.settings)
        build(settings)
        wall_seconds = time.perf_counter() - began
        for line in (*input_lines(settings, delivery), "", *figure_lines(settings)):
            print(line)
    print(f"\nwall time {wall_seconds:.0f} s")


def build(settings: Settings) -> None:
    """Build every asset in this process; warnings and errors of the run go to stderr."""
    with dg.instance_for_test(
        overrides={
            "python_logs": {"python_log_level": "WARNING"},
            "telemetry": {"enabled": False},
        }
    ) as instance:
        job = build_definitions(settings).resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=instance)


def input_lines(settings: Settings, delivery: Delivery) -> Iterator[str]:
    """Say what went in and what became of it."""
    warehouse = Warehouse(path=str(settings.warehouse_path))
    items = warehouse.read("catalogue.items")
    rejected_items = warehouse.read("catalogue.rejected_items")
    yield f"items delivered       {sum(delivery.n_items.values()):>9,}{_listed(delivery.n_items)}"
    yield f"  without a title     {sum(delivery.n_without_title.values()):>9,}"
    yield f"  published           {items.height:>9,}"
    yield f"  rejected            {rejected_items.height:>9,}{_reasons(rejected_items)}"

    accepted = pl.scan_parquet(settings.events_dir / "**/*.parquet").select(pl.len()).collect()
    rejected = pl.read_parquet(settings.rejected_events_path)
    yield f"events delivered      {delivery.n_events:>9,}"
    yield f"  accepted            {accepted.item():>9,}"
    yield f"  rejected            {rejected.height:>9,}{_reasons(rejected)}"

    counts = json.loads(statistics_path(settings).read_text())
    gap, support = settings.sessions.gap_minutes, settings.sessions.min_support
    yield f"session gap {gap:,.0f} minutes, minimum support {support} events in train"
    for part, n_sessions in counts["sessions"].items():
        n_events = counts["events"][part]
        yield f"  {part:<12}{n_sessions:>9,} sessions {n_events:>9,} events"
    yield f"  items in the vocabulary {counts['items']:,}"
    for reason, n_events in counts["dropped_events"].items():
        yield f"  left out   {n_events:>9,} events, {reason.replace('_', ' ')}"
    yield f"  cuts {counts['validation_cut']} and {counts['test_cut']}"


def figure_lines(settings: Settings) -> Iterator[str]:
    """Tabulate Recall and MRR of every model, overall and by the type of the next item."""
    bundle = require_bundle(settings, MAIN_MODEL)
    yield f"training of {MAIN_MODEL} (preset {settings.training.preset})"
    for epoch in bundle.manifest["training"]["history"]:
        recall = epoch["recall_at_20"]
        yield f"  epoch {epoch['epoch']:>2}  loss {epoch['loss']:.3f}  validation {recall:.4f}"

    k = HEADLINE_CUTOFF
    metrics = pl.read_parquet(metrics_path(settings)).filter(
        pl.col("relevance") == "next", pl.col("k") == k, pl.col("slice").is_in(SLICES)
    )
    slices = (
        metrics.select("slice", "target_type", "n").unique().sort("slice", "target_type").rows()
    )
    heads = [f"{type_ or 'overall'} (n {n:,})" for _, type_, n in slices]
    yield ""
    yield " " * 12 + "".join(f"{head:>24}" for head in heads) + f"{'Recall, 95 %':>20}"
    yield f"{'test':<12}" + f"{f'Recall@{k}':>14}{f'MRR@{k}':>10}" * len(slices)
    for model in model_order(metrics["model"]):
        rows = metrics.filter(pl.col("model") == model)
        cells = "".join(
            f"{_value(rows, 'recall', type_):>14.4f}{_value(rows, 'mrr', type_):>10.4f}"
            for _, type_, _ in slices
        )
        yield f"{model:<12}{cells}{_interval(rows):>20}".rstrip()
    yield ""
    for baseline in ("popularity", "markov"):
        difference, error = _lead(settings, MAIN_MODEL, baseline)
        yield (
            f"{MAIN_MODEL} minus {baseline}: Recall@{k} {difference:+.4f}, "
            f"standard error {error:.4f} (paired, sessions independent)"
        )


def _reasons(rejected: pl.DataFrame) -> str:
    return _listed(dict(rejected["reason"].value_counts(sort=True).iter_rows()))


def _listed(counts: Mapping[str, int]) -> str:
    return "  " + ", ".join(f"{name} {n:,}" for name, n in counts.items()) if counts else ""


def _value(rows: pl.DataFrame, metric: str, item_type: str | None) -> float:
    return rows.filter(
        pl.col("metric") == metric, pl.col("target_type").eq_missing(pl.lit(item_type))
    )["value"].item()


def _lead(settings: Settings, model: str, other: str) -> tuple[float, float]:
    """Return the difference of two models' Recall and its standard error over sessions."""
    ranks = [
        pl.read_parquet(settings.evaluation_dir / "ranks" / f"{name}.parquet")
        for name in (model, other)
    ]
    hits = [frame["rank"].to_numpy() <= HEADLINE_CUTOFF for frame in ranks]
    difference = hits[0].astype(float) - hits[1]
    by_session = np.bincount(ranks[0]["session"], weights=difference - difference.mean())
    error = np.sqrt((by_session**2).sum()) / len(difference)
    return float(difference.mean()), float(error)


def _interval(rows: pl.DataFrame) -> str:
    row = rows.filter(pl.col("metric") == "recall", pl.col("slice") == "overall").row(0, named=True)
    return "" if row["low"] is None else f"{row['low']:.4f} to {row['high']:.4f}"


if __name__ == "__main__":
    main()
