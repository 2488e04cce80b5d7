"""Metrics of the shown lists go in; what they say beyond hits comes out."""

from collections.abc import Mapping

import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.popularity_shares import TARGETS
from crossrec_pipeline.evaluation.report.blocks import Block, Fold, Paragraph, Section, Table
from crossrec_pipeline.evaluation.report.drawings import drawing
from crossrec_pipeline.evaluation.report.findings import Findings
from crossrec_pipeline.evaluation.report.numbers import decimal, percent
from crossrec_pipeline.evaluation.report.standing import Standing

_COLUMNS = {
    "coverage": ("Coverage", "share of all items that any list names"),
    "gini": ("Gini", "0 where all items are named equally often, towards 1 where few are"),
    "average_popularity": ("ARP", "mean number of train events of the named items"),
    "popularity_percentile": (
        "Popularity percentile",
        "mean place of the named items between the rarest (0) and the most popular (1)",
    ),
    "novelty": ("Novelty", "mean −log2 of the items' share of the train events, in bits"),
    "genre_diversity": ("Genre diversity", "how little two items of a list share genres, 0 to 1"),
    "type_diversity": ("Type diversity", "share of a list's pairs of items of different types"),
    "serendipity": (
        "Serendipity",
        "share of the hits that are of another type than the last seen item",
    ),
}


def list_section(findings: Findings, order: Standing) -> Section | None:
    """Show what models name, right or wrong; None without such metrics."""
    blocks: list[Block] = []
    if findings.list_metrics is not None:
        blocks += [
            Paragraph(
                f"Of the first {HEADLINE_CUTOFF} items each model would show, for a sample of "
                "predictions, the same ones for all models. None of these figures is good or bad "
                "by itself: read them beside the hits."
            ),
            _metrics(findings.list_metrics, order),
            Fold("What each figure means", [_explained()]),
        ]
    if findings.popularity is not None:
        blocks += _popularity(findings.popularity, order)
    return Section("lists", "Beyond hits", blocks) if blocks else None


def _metrics(metrics: pl.DataFrame, order: Standing) -> Table:
    values = {
        (model, metric): value
        for model, metric, k, value in metrics.select("model", "metric", "k", "value").iter_rows()
        if k == HEADLINE_CUTOFF
    }
    rows = [
        [model, *(_shown(metric, values.get((model, metric))) for metric in _COLUMNS)]
        for model in order.models
        if any((model, metric) in values for metric in _COLUMNS)
    ]
    return Table(
        f"Lists of {HEADLINE_CUTOFF} items",
        ["Model", *(name for name, _ in _COLUMNS.values())],
        rows,
    )


def _shown(metric: str, value: float | None) -> str:
    if value is None or metric != "average_popularity":
        return decimal(value)
    return f"{value:,.0f}"


def _explained() -> Table:
    return Table(
        "What each figure says of a list, or of all lists",
        ["Figure", "Meaning"],
        [list(row) for row in _COLUMNS.values()],
        2,
    )


def _popularity(shares: pl.DataFrame, order: Standing) -> list[Block]:
    from crossrec_pipeline.evaluation.charts import popularity_lines

    by_model: dict[str, Mapping[int, float | None]] = {
        str(model): dict(of.select("decile", "share").iter_rows())
        for (model,), of in shares.group_by("model", maintain_order=True)
    }
    rows = [
        [model, *(percent(by_model[model].get(decile)) for decile in range(1, 11))]
        for model in (TARGETS, *order.models)
        if model in by_model
    ]
    return [
        drawing(
            popularity_lines(shares, order.pair, order.main, order.rival),
            "Share of all shown items by the popularity of the items in train, 10 being the most "
            "popular tenth. A model that follows the dashed line shows popular items as often as "
            "they are used; above it at 10, it leans on what is popular.",
        ),
        Fold(
            "The same for all models",
            [
                Table(
                    "Share of the shown items by popularity decile in train",
                    ["Model", *(str(decile) for decile in range(1, 11))],
                    rows,
                )
            ],
        ),
    ]
