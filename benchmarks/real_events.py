"""The whole pipeline over a real log: 148,205 dated reviews of movies and books by 15,352 users.

    python benchmarks/real_events.py --data DIR [--preset default] [--controls]

DIR is the folder that ``CROSSREC_REAL_DATA`` names for the tests. Everything goes through the
Dagster assets into a temporary folder: items and events are loaded, checked, split and trained on,
and test is ranked once. ``--controls`` trains GRU4Rec on one domain alone and on other sessions of
which something was taken away, and compares. Other settings come from the environment as always,
for example ``CROSSREC_SESSIONS__MIN_SUPPORT=10``; only the session gap has another default here,
because the log's times are days (see `crossrec_pipeline_tests.amazon`).
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import polars as pl

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.controls import run_controls
from crossrec_pipeline.defs.evaluation import metrics_path
from crossrec_pipeline.defs.models import MAIN_MODEL, require_bundle
from crossrec_pipeline.defs.report_findings import comparisons_path, controls_path
from crossrec_pipeline.defs.sessions import statistics_path
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.slices import model_order
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.amazon import (
    EVENTS_FILE,
    ITEMS_FILE,
    LONGEST_RECORD_MINUTES,
    Delivery,
    deliver,
)

SLICES = ("overall", "target_type", "transition")
GAP_VARIABLE = "CROSSREC_SESSIONS__GAP_MINUTES"


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--data", type=Path, required=True, help="folder of the real data")
    options.add_argument("--preset", default="default", help="preset of GRU4Rec")
    options.add_argument("--controls", action="store_true", help="train the controls too")
    given = options.parse_args()
    for name in (ITEMS_FILE, EVENTS_FILE):
        if not (given.data / name).is_file():
            sys.exit(f"error: {given.data / name} does not exist. Give the folder it lies in.")
    os.environ.setdefault(GAP_VARIABLE, str(LONGEST_RECORD_MINUTES))
    os.environ["CROSSREC_TRAINING__PRESET"] = given.preset

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        delivery = deliver(given.data, Path(folder))
        settings = load_settings(data_dir=Path(folder) / "data", **delivery.settings)
        build(settings, controls=given.controls)
        wall_seconds = time.perf_counter() - began
        for line in (*input_lines(settings, delivery), "", *figure_lines(settings)):
            print(line)
    print(f"\nwall time {wall_seconds:.0f} s")


def build(settings: Settings, *, controls: bool) -> None:
    """Build every asset in this process; warnings and errors of the run go to stderr."""
    defs = build_definitions(settings)
    jobs = [defs.resolve_implicit_global_asset_job_def()]
    if controls:
        jobs.append(defs.resolve_job_def(run_controls.name))
    with dg.instance_for_test(
        overrides={
            "python_logs": {"python_log_level": "WARNING"},
            "telemetry": {"enabled": False},
        }
    ) as instance:
        for job in jobs:
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
    """Tabulate every model, overall, by type and by transition; then what is really different."""
    bundle = require_bundle(settings, MAIN_MODEL)
    yield f"training of {MAIN_MODEL} (preset {settings.training.preset})"
    for epoch in bundle.manifest["training"]["history"]:
        recall = epoch["recall_at_20"]
        yield f"  epoch {epoch['epoch']:>2}  loss {epoch['loss']:.3f}  validation {recall:.4f}"
    metrics = pl.read_parquet(metrics_path(settings)).filter(
        pl.col("relevance") == "next",
        pl.col("k") == HEADLINE_CUTOFF,
        pl.col("slice").is_in(SLICES),
        pl.col("metric").is_in(["recall", "mrr"]),
    )
    for metric in ("recall", "mrr"):
        yield ""
        yield from _table(metrics.filter(pl.col("metric") == metric), metric)
    yield ""
    yield from _differences(settings)
    if controls_path(settings).exists():
        yield ""
        yield from _controls(settings)


def _table(rows: pl.DataFrame, metric: str) -> Iterator[str]:
    keys = ["slice", "source_type", "target_type"]
    slices = rows.select(*keys, "n").unique().sort(keys, nulls_last=False).rows()
    slices.sort(key=lambda row: SLICES.index(row[0]))
    heads = [
        f"{source}→{target}" if source else target or slice_ for slice_, source, target, _ in slices
    ]
    name = f"test, {metric}@{HEADLINE_CUTOFF}"
    yield f"{name:<20}{heads[0]:>9}{'95 %':>18}" + "".join(f"{head:>13}" for head in heads[1:])
    for model in model_order(rows["model"]):
        mine = rows.filter(pl.col("model") == model)
        found = {row[:3]: row[3] for row in mine.select(*keys, "value").iter_rows()}
        first, *others = (found[slice_[:3]] for slice_ in slices)
        cells = "".join(f"{value:>13.4f}" for value in others)
        yield f"{model:<20}{first:>9.4f}{_interval(mine):>18}{cells}"
    counts = "".join(f"{n:>13,}" for *_, n in slices[1:])
    yield f"{'n':<20}{slices[0][3]:>9,}{'':>18}{counts}"


def _differences(settings: Settings) -> Iterator[str]:
    comparisons = pl.read_parquet(comparisons_path(settings)).filter(
        pl.col("k") == HEADLINE_CUTOFF, pl.col("slice") == "overall"
    )
    for metric in ("recall", "mrr"):
        for model in ("gru4rec", "hybrid"):
            yield f"{metric}@{HEADLINE_CUTOFF}: {model} minus"
            pairs = comparisons.filter(
                pl.col("metric") == metric, (pl.col("model") == model) | (pl.col("other") == model)
            )
            for pair in pairs.iter_rows(named=True):
                sign, other = (1, "other") if pair["model"] == model else (-1, "model")
                low, high = sorted((sign * pair["low"], sign * pair["high"]))
                verdict = "real" if pair["significant"] else "not told apart"
                yield (
                    f"  {pair[other]:<20}{sign * pair['difference']:+.4f} "
                    f"({low:+.4f} to {high:+.4f})  {verdict}"
                )


def _controls(settings: Settings) -> Iterator[str]:
    yield f"{'control':<20}{'type':<20}{'metric':<8}{'value':>8}{'reference':>20}{'difference':>12}"
    for row in pl.read_parquet(controls_path(settings)).iter_rows(named=True):
        reference = f"{row['reference']} {row['reference_value']:.4f}"
        yield (
            f"{row['control']:<20}{row['target_type'] or 'all':<20}{row['metric']:<8}"
            f"{row['value']:>8.4f}{reference:>20}{row['difference']:>+12.4f} "
            f"({row['low']:+.4f} to {row['high']:+.4f})  n {row['n']:,}"
        )


def _reasons(rejected: pl.DataFrame) -> str:
    return _listed(dict(rejected["reason"].value_counts(sort=True).iter_rows()))


def _listed(counts: Mapping[str, int]) -> str:
    return "  " + ", ".join(f"{name} {n:,}" for name, n in counts.items()) if counts else ""


def _interval(rows: pl.DataFrame) -> str:
    low, high = rows.filter(pl.col("slice") == "overall").select("low", "high").row(0)
    return "" if low is None else f"{low:.4f} to {high:.4f}"


if __name__ == "__main__":
    main()
