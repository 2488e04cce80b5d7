"""Controls go in; what each must show, and whether it does, comes out."""

import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.controls.table import CONTROLS
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.report.blocks import (
    Block,
    Command,
    Fold,
    Paragraph,
    Section,
    Table,
)
from crossrec_pipeline.evaluation.report.figures import METRIC_NAMES
from crossrec_pipeline.evaluation.report.numbers import decimal, signed, signed_interval

_UNIFORM = "uniform_log"
_MEANINGS = {
    _UNIFORM: "a log without anything to learn: the model must be at chance, else it is measured "
    "wrongly",
    "shuffled_order": "trained on sessions in random order: what it loses is what order brings",
    "last_item_only": "a feed-forward twin that sees the last item only: what it loses is what "
    "recurrence brings",
    "shuffled_domains": "the domains of each session exchanged between sessions: what it loses is "
    "what the link between domains brings",
    "single_domain": "trained on one domain alone: above the reference, learning from the other "
    "domains harms",
    "other_seed": "trained from another seed: how far figures move by the seed alone",
}


def control_section(controls: pl.DataFrame | None) -> Section:
    """Show the controls, or say how to make them.

    Raises
    ------
    EvaluationError
        If a column is missing.
    """
    if controls is None:
        return Section(
            "controls",
            "Controls",
            [
                Paragraph(
                    "Not made yet. Controls train the main model on logs in which something was "
                    "destroyed, to see whether the figures fall as they must. They take several "
                    "times as long as one training:"
                ),
                Command("crossrec run --controls"),
            ],
        )
    missing = [name for name in CONTROLS if name not in controls.columns]
    if missing:
        raise EvaluationError(
            f"The controls lack {', '.join(missing)}; found {', '.join(controls.columns)}. Make "
            "them again: crossrec run --controls"
        )
    overall = controls.filter(
        pl.col("target_type").is_null() & (pl.col("k") == HEADLINE_CUTOFF)
    ).sort(_place(), "metric", descending=[False, True])
    by_type = controls.filter(
        pl.col("target_type").is_not_null()
        & (pl.col("k") == HEADLINE_CUTOFF)
        & (pl.col("metric") == "recall")
    ).sort(_place(), "target_type")
    given = controls["control"].unique().to_list()
    blocks: list[Block] = [
        Paragraph(
            "The same model where something was taken from it. A difference counts where its "
            "95 % interval does not hold zero."
        ),
        Table(
            "What each control is for",
            ["Control", "What it shows"],
            [[name, words] for name, words in _MEANINGS.items() if name in given],
            2,
        ),
        _table("Controls, all types", overall),
    ]
    if by_type.height:
        blocks.append(Fold("By type of the next item", [_table("Controls by type", by_type)]))
    return Section("controls", "Controls", blocks)


def _place() -> pl.Expr:
    """Order controls as they are explained, others after them."""
    order = {name: at for at, name in enumerate(_MEANINGS)}
    return pl.col("control").replace_strict(order, default=len(order), return_dtype=pl.Int32)


def _table(caption: str, rows: pl.DataFrame) -> Table:
    cells = [
        [
            row["control"]
            if row["target_type"] is None
            else f"{row['control']}, {row['target_type']}",
            _reading(row["control"], row["low"], row["high"]),
            f"{METRIC_NAMES.get(row['metric'], row['metric'])}@{row['k']}",
            decimal(row["value"]),
            f"{row['reference']} {decimal(row['reference_value'])}",
            signed(row["difference"]),
            signed_interval(row["low"], row["high"]),
            f"{row['n']:,}",
        ]
        for row in rows.iter_rows(named=True)
    ]
    header = [
        "Control",
        "Reads",
        "Metric",
        "Value",
        "Compared with",
        "Difference",
        "95 % interval",
        "n",
    ]
    return Table(caption, header, cells, 3)


def _reading(control: str, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "not known"
    if low <= 0 <= high:
        return "at chance, as it must be" if control == _UNIFORM else "no clear difference"
    if control == _UNIFORM:
        return "not at chance: measured wrongly"
    return "lower" if high < 0 else "higher"
