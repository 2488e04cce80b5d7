"""Everything a report can be made of: small, hand-made or measured on sixty sessions."""

import re
from functools import cache

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.controls.table import CONTROLS
from crossrec_pipeline.evaluation.costs import Cost
from crossrec_pipeline.evaluation.examples import pick_examples
from crossrec_pipeline.evaluation.popularity_shares import popularity_shares
from crossrec_pipeline.evaluation.report import Findings, LeakVerdict, PartCounts, ReportContext
from crossrec_pipeline.evaluation.report.history import Recorded, ReportRecord
from crossrec_pipeline.evaluation.significance import compare_all
from crossrec_pipeline.evaluation.top_lists import TopLists
from crossrec_pipeline_tests.evaluation.sliced_metrics import (
    HISTORY,
    TYPES,
    contextual_metrics,
    ranked,
    sliced_metrics,
)

METRICS = sliced_metrics()
CONTEXT = ReportContext(
    title="Evaluation",
    main_model="gru4rec",
    events="simulated, seed 7",
    n_items_by_type=dict.fromkeys(TYPES, 30),
    parts=(
        PartCounts("train", 4_000, 24_000, 90, 0),
        PartCounts("validation", 500, 3_000, 88, 12),
        PartCounts("test", 60, 300, 85, 34),
    ),
    validation_start="2023-02-18 04:10 UTC",
    test_start="2023-02-24 01:00 UTC",
    data_versions={"catalogue/items": "0a1b", "sessions/sequences": "2c3d"},
    command="crossrec evaluate",
    training=HISTORY,
    leak_audit=(LeakVerdict("cut in time", True, "No train session ends after the cut."),),
)
OTHERS = [f"model_{number:02d}" for number in range(12)]


def control(name: str, low: float, high: float, **changed: object) -> dict[str, object]:
    """One row of `CONTROLS`."""
    row = {
        "control": name,
        "target_type": None,
        "metric": "recall",
        "k": 20,
        "value": 0.3,
        "reference": "gru4rec",
        "reference_value": 0.4,
        "difference": (low + high) / 2,
        "low": low,
        "high": high,
        "n": 240,
    }
    return row | changed


def controls_of(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=pl.Schema(CONTROLS))


def record(number: int, recall: float = 0.4) -> ReportRecord:
    return ReportRecord(
        time=f"2023-03-{number:02d}T10:00:00.000000+00:00",
        metrics_version=f"version {number}",
        data_versions={"sessions/sequences": "2c3d"},
        code_version="0.1.0",
        main_model="gru4rec",
        figures={
            model: {
                "recall": Recorded(recall - less, recall - less - 0.01, recall - less + 0.01),
                "mrr": Recorded(recall / 2, recall / 2 - 0.01, recall / 2 + 0.01),
            }
            for model, less in (("gru4rec", 0.0), ("markov", 0.1))
        },
    )


def lists_of(frame: pl.DataFrame) -> TopLists:
    """Five items a prediction: from its target's index on, so that the target is the first."""
    prediction = np.arange(frame.height)
    items = (frame["target_index"].to_numpy()[:, None] + np.arange(5)) % 90
    return TopLists(prediction, items.astype(np.int32))


@cache
def findings() -> Findings:
    """All that can be found, of gru4rec and markov."""
    store, vocabulary, frames = ranked()
    pair = {model: frames[model] for model in ("gru4rec", "markov")}
    lists = {model: lists_of(frame) for model, frame in pair.items()}
    targets = frames["gru4rec"]["target_index"].to_numpy()
    return Findings(
        comparisons=compare_all(pair, TYPES, n_resamples=200),
        list_metrics=pl.DataFrame(
            [
                (model, metric, 20, value, 240)
                for model in pair
                for metric, value in (("coverage", 0.5), ("average_popularity", 1234.5))
            ],
            schema=["model", "metric", "k", "value", "n"],
            orient="row",
        ),
        popularity=popularity_shares(lists, targets, vocabulary),
        examples=pick_examples(pair, lists, store, vocabulary),
        costs=[
            Cost("markov", 710_000, None, 76_000.0, 0.04, 0.05),
            Cost("gru4rec", 2_280_000, 90.0, 68_000.0, 0.6, None),
        ],
        controls=controls_of(control("shuffled_order", -0.2, -0.1)),
        history=[record(1), record(2, 0.45)],
    )


@cache
def many() -> tuple[pl.DataFrame, Findings]:
    """Sixteen models: those of `sliced_metrics` and twelve more like markov."""
    _, _, frames = ranked()
    base = pl.concat([METRICS, contextual_metrics()])
    copies = [base.filter(model="markov").with_columns(model=pl.lit(name)) for name in OTHERS]
    ranks = {
        "gru4rec": frames["gru4rec"],
        "markov": frames["markov"],
        **dict.fromkeys(OTHERS, frames["markov"]),
    }
    full = findings()
    comparisons = compare_all(ranks, TYPES, n_resamples=4_000)
    return pl.concat([base, *copies]), Findings(**{**vars(full), "comparisons": comparisons})


def table(markdown: str, caption: str) -> list[list[str]]:
    """Return the cells of a Markdown table, header first, marks taken off."""
    lines = markdown.split(f"**{caption}**\n\n")[1].split("\n\n")[0].splitlines()
    cells = [
        [re.sub(r"^\*\*(.*)\*\*$", r"\1", cell.strip()) for cell in line.strip("|").split(" | ")]
        for line in lines
    ]
    return [cells[0], *cells[2:]]


def section(markdown: str, heading: str) -> str:
    """Return what stands below a heading."""
    return markdown.split(f"## {heading}\n\n")[1].split("\n## ")[0]


def value(model: str, metric: str, k: int, **where: str) -> float:
    wanted = {"slice": "overall", "relevance": "next"} | where
    rows = METRICS.filter(
        pl.col("model") == model,
        pl.col("metric") == metric,
        pl.col("k") == k,
        *(pl.col(name) == wish for name, wish in wanted.items()),
    )
    assert rows.height == 1
    return rows["value"][0]
