"""Staged and raw frames in; flat frames of scalars out, one per suite, ready to be validated.

Everything is derived from the rows as delivered, not from what the cleaning says it did.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from crossrec_pipeline.catalogue.merge import MERGE_REASONS
from crossrec_pipeline.catalogue.schema import ITEMS, REJECTED_ITEMS
from crossrec_pipeline.domains import DEFAULT_FILLS, DomainSpec, Fill, Reject
from crossrec_pipeline.quality.history import fill_rates, last_good, sizes

ROW = ("source", "source_row")
"""What names a delivered row."""

_SHOWN_ROWS = 10


def schema_audit(
    specs: Sequence[DomainSpec],
    items: pl.DataFrame,
    rejected: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    """Compare declared with found column types.

    Returns
    -------
    pl.DataFrame
        Columns table, column, expected (a polars type, or ``none``) and found (a polars type, or
        ``missing``); one row for each column that is declared or found.
    """
    tables: list[tuple[str, pl.DataFrame, Mapping[str, pl.DataType]]] = [
        ("items", items, ITEMS),
        ("rejected_items", rejected, REJECTED_ITEMS),
    ]
    for spec in specs:
        declared = {column.name: pl.String() for column in spec.columns}
        declared |= {"source": pl.String(), "source_row": pl.Int64()}
        tables.append((f"raw_{spec.name}", raw.get(spec.name, pl.DataFrame()), declared))
    rows = [
        (table, column, str(expected), str(frame.schema.get(column, "missing")))
        for table, frame, declared in tables
        for column, expected in declared.items()
    ]
    # A raw frame may carry more columns; what is published may not.
    rows += [
        (table, column, "none", str(found))
        for table, frame, declared in tables[:2]
        for column, found in frame.schema.items()
        if column not in declared
    ]
    names = ("table", "column", "expected", "found")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def items_audit(specs: Sequence[DomainSpec], items: pl.DataFrame) -> pl.DataFrame:
    """Flatten the items: lists become their length, their blank elements and their text.

    Returns
    -------
    pl.DataFrame
        The scalar columns of `ITEMS`; for each list column L of genres and creators ``L`` as text,
        ``L_length`` and ``L_blank`` (elements that are null or only blanks); and for each type T
        ``item_id of T``, the ids of that type's rows.
    """
    flat = []
    for name in ("genres", "creators"):
        filled = pl.element().filter(pl.element().str.contains(r"\S"))
        n_filled = pl.col(name).list.eval(filled).list.len()
        flat += [
            _list_text(pl.col(name)).alias(name),
            pl.col(name).list.len().cast(pl.Int64).alias(f"{name}_length"),
            (pl.col(name).list.len() - n_filled).cast(pl.Int64).alias(f"{name}_blank"),
        ]
    ids = [
        pl.when(pl.col("item_type") == spec.item_type).then("item_id").alias(id_column(spec))
        for spec in specs
    ]
    return items.with_columns(*flat, *ids, imputed=_list_text(pl.col("imputed")))


def id_column(spec: DomainSpec) -> str:
    """Return the column of `items_audit` that holds the ids of one type."""
    return f"item_id of {spec.item_type}"


def placeholder_audit(
    specs: Sequence[DomainSpec], items: pl.DataFrame, raw: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Read the delivered cells again and compare them with what the items hold.

    Rows of one work are one item, so a placeholder is right only if none of them has a value. A
    source may itself say ``Unknown``: that is a value, not a placeholder.

    Returns
    -------
    pl.DataFrame
        One row for each item and column whose policy is to fill, and for each further column named
        in `imputed`: item_id, source and source_row of the item; column; value, what the item
        holds, and source_value, the first value among the rows of the work, as text;
        source_is_empty, holds_placeholder and marked (named in `imputed`). source_is_empty is null
        where the item's row was never delivered, or lacks what its domain cannot do without.
    """
    parts = [pl.DataFrame(schema=_PLACEHOLDER_AUDIT)]
    for spec in specs:
        of_type = items.filter(pl.col("item_type") == spec.item_type)
        placeholders = _placeholders(spec)
        joined = of_type.join(
            _source_values(spec, raw[spec.name]), on=ROW, how="left", maintain_order="left"
        )
        parts += [
            joined.select(
                "item_id",
                *ROW,
                column=pl.lit(column),
                value=_text(pl.col(column), ITEMS[column]),
                source_value=pl.col(_source_value(column)),
                source_is_empty=pl.when("usable").then(pl.col(_source_value(column)).is_null()),
                marked=pl.col("imputed").list.contains(column).fill_null(False),
            ).with_columns(
                holds_placeholder=pl.col("value").eq_missing(pl.lit(placeholder))
                & pl.col("source_value").ne_missing(pl.lit(placeholder))
            )
            for column, placeholder in placeholders.items()
        ]
        parts.append(
            of_type.select("item_id", *ROW, column="imputed")
            .explode("column", empty_as_null=False)
            .filter(~pl.col("column").is_in(list(placeholders)))
            .with_columns(
                value=pl.lit(None, pl.String),
                source_value=pl.lit(None, pl.String),
                source_is_empty=pl.lit(False),
                holds_placeholder=pl.lit(False),
                marked=pl.lit(True),
            )
        )
    return pl.concat(part.select(list(_PLACEHOLDER_AUDIT)) for part in parts)


_PLACEHOLDER_AUDIT: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "source": pl.String(),
    "source_row": pl.Int64(),
    "column": pl.String(),
    "value": pl.String(),
    "source_value": pl.String(),
    "source_is_empty": pl.Boolean(),
    "holds_placeholder": pl.Boolean(),
    "marked": pl.Boolean(),
}


def _placeholders(spec: DomainSpec) -> dict[str, str]:
    """Return the placeholder, as text, of each item column that is filled where empty."""
    policies = {name: column.missing for name, column in spec.by_item_column.items()}
    fills = {
        name: policy
        for name in ITEMS
        if isinstance(policy := policies.get(name) or DEFAULT_FILLS.get(name), Fill)
    }
    if "raw_popularity" not in fills:
        fills["popularity"] = Fill(0.0)  # below every rank, which is more than 0
    return {
        name: ", ".join(fill.value) if isinstance(fill.value, tuple) else str(fill.value)
        for name, fill in fills.items()
    }


def _source_values(spec: DomainSpec, raw: pl.DataFrame) -> pl.DataFrame:
    """Return, for each usable row, the first value that any row of the same work has.

    Rows are of the same work where the natural key is equal. Rows that lack what their domain
    cannot do without are not usable.

    Returns
    -------
    pl.DataFrame
        Columns of `ROW`, ``usable`` (true) and, as text, `_source_value` of each column that
        is filled where empty.
    """
    key = [spec.column(name) for name in spec.natural_key]
    work = [f"key {part.name}" for part in key]
    values = {
        _source_value(column): _parsed_text(spec, column).cast(pl.String)
        for column in _placeholders(spec)
    }
    refused = [
        column.parse(pl.col(column.name)).is_null()
        for column in spec.columns
        if isinstance(column.missing, Reject)
    ]
    return (
        raw.filter(~pl.any_horizontal(pl.lit(False), *refused))
        .select(
            *ROW,
            *(part.parse(pl.col(part.name)).alias(f"key {part.name}") for part in key),
            usable=pl.lit(True),
            **values,
        )
        .with_columns(pl.col(name).drop_nulls().first().over(work) for name in values)
        .drop(work)
    )


def _source_value(column: str) -> str:
    return f"source's {column}"


def _parsed_text(spec: DomainSpec, item_column: str) -> pl.Expr:
    filled_by = "raw_popularity" if item_column == "popularity" else item_column
    column = spec.by_item_column.get(filled_by)
    if column is None:
        return pl.lit(None)
    return _text(column.parse(pl.col(column.name)), ITEMS[filled_by])


def _text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return _list_text(value) if isinstance(dtype, pl.List) else value.cast(pl.String)


def conservation_audit(
    specs: Sequence[DomainSpec],
    items: pl.DataFrame,
    rejected: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    """Account for every delivered row.

    Returns
    -------
    pl.DataFrame
        Per source: rows_in, rows_out, rows_rejected, rows_accounted (the sum of the last two);
        rows_astray, the number of delivered rows that are not accounted for exactly once and of
        accounted rows that were never delivered; astray, the first of their numbers as text;
        rows_unexplained, rejected rows without a reason.
    """
    counts = []
    for spec in specs:
        delivered = raw[spec.name].group_by(ROW).len("delivered")
        accounted = (
            pl.concat(
                [
                    frame.filter(pl.col("item_type") == spec.item_type).select(ROW)
                    for frame in (items, rejected)
                ]
            )
            .group_by(ROW)
            .len("accounted")
        )
        astray = (
            delivered.join(accounted, on=ROW, how="full", coalesce=True, nulls_equal=True)
            .filter(pl.col("delivered").ne_missing(pl.col("accounted")))
            .sort(ROW)
        )
        numbers = astray["source_row"].head(_SHOWN_ROWS).cast(pl.String).fill_null("null")
        unexplained = rejected.filter(
            pl.col("item_type") == spec.item_type, pl.col("reason").is_null()
        )
        counts.append((spec.name, astray.height, ", ".join(numbers), unexplained.height))
    lost = pl.DataFrame(
        counts,
        schema={
            "source": pl.String,
            "rows_astray": pl.Int64,
            "astray": pl.String,
            "rows_unexplained": pl.Int64,
        },
        orient="row",
    )
    return (
        sizes(specs, items, rejected, raw)
        .with_columns(rows_accounted=pl.col("rows_out") + pl.col("rows_rejected"))
        .join(lost, on="source", maintain_order="left")
    )


def rejection_audit(
    specs: Sequence[DomainSpec], rejected: pl.DataFrame, raw: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Count the rows that are lost, and those merged into another.

    Returns
    -------
    pl.DataFrame
        Per source: rows_in, rows_lost, rows_merged; rejected_share, rows_lost / rows_in; reasons,
        the number of rows for each reason as text.
    """
    rows = []
    for spec in specs:
        reasons = (
            rejected.filter(pl.col("item_type") == spec.item_type)
            .group_by("reason")
            .len("rows")
            .sort("rows", "reason", descending=[True, False])
        )
        is_merge = pl.col("reason").is_in(MERGE_REASONS).fill_null(False)
        n_in, n_lost = raw[spec.name].height, reasons.filter(~is_merge)["rows"].sum()
        rows.append(
            {
                "source": spec.name,
                "rows_in": n_in,
                "rows_lost": n_lost,
                "rows_merged": reasons.filter(is_merge)["rows"].sum(),
                "rejected_share": n_lost / n_in if n_in else 0.0,
                "reasons": ", ".join(f"{reason}: {n}" for reason, n in reasons.iter_rows()),
            }
        )
    schema = {
        "source": pl.String,
        "rows_in": pl.Int64,
        "rows_lost": pl.Int64,
        "rows_merged": pl.Int64,
        "rejected_share": pl.Float64,
        "reasons": pl.String,
    }
    return pl.DataFrame(rows, schema=schema)


def size_audit(
    specs: Sequence[DomainSpec],
    items: pl.DataFrame,
    rejected: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
    history: pl.DataFrame,
) -> pl.DataFrame:
    """Compare the number of items with the last good build.

    Returns
    -------
    pl.DataFrame
        Per source: the columns of `sizes`, last_rows_out, and size_ratio = rows_out /
        last_rows_out; the last two are null for a source that was never published.
    """
    last = last_good(history).group_by("source").agg(last_rows_out=pl.col("rows_out").first())
    ratio = pl.col("rows_out") / pl.col("last_rows_out")
    return (
        sizes(specs, items, rejected, raw)
        .join(last, on="source", how="left", maintain_order="left")
        # From no items, any number is no shrinkage (and 0 / 0 is no number).
        .with_columns(size_ratio=pl.when(pl.col("last_rows_out") > 0).then(ratio))
    )


def fill_rate_audit(
    specs: Sequence[DomainSpec], items: pl.DataFrame, history: pl.DataFrame
) -> pl.DataFrame:
    """Compare fill rates with the last good build.

    Returns
    -------
    pl.DataFrame
        Per source and column: fill_rate, last_fill_rate, and change, their difference; the last
        two are null for a column that was never published.
    """
    last = last_good(history).select("source", "column", last_fill_rate="fill_rate")
    return (
        fill_rates(specs, items)
        .join(last, on=("source", "column"), how="left", maintain_order="left")
        .with_columns(change=pl.col("fill_rate") - pl.col("last_fill_rate"))
    )


def _list_text(column: pl.Expr) -> pl.Expr:
    return column.list.eval(pl.element().fill_null("null")).list.join(", ")
