"""From one domain's raw catalogue to clean works, one row each, and the rows that are none."""

from dataclasses import dataclass

import polars as pl

from crossrec_pipeline.catalogue.merge import merge_works
from crossrec_pipeline.catalogue.parse import PLACE, parse_columns, unparseable
from crossrec_pipeline.catalogue.schema import ITEMS, REJECTED_ITEMS
from crossrec_pipeline.domains import DEFAULT_FILLS, DomainSpec, Fill, Reject
from crossrec_pipeline.errors import SettingsError

FILLABLE = ("title", "description", "genres", "creators", "raw_popularity", "release_date")
"""The columns of `catalogue.items` that a source column can fill."""

WORKS: dict[str, pl.DataType] = {
    "natural_key": pl.String(),
    "name": pl.String(),
    **{name: dtype for name, dtype in ITEMS.items() if name in (*FILLABLE, "imputed", *PLACE)},
}
"""Clean works: `natural_key` tells them apart within a domain, `name` is what the id is made of."""


@dataclass(frozen=True)
class Cleaned:
    """One domain, cleaned; rows of `works` and `rejected` add up to the rows delivered.

    Attributes
    ----------
    spec
        The domain.
    works
        Columns of `WORKS`, one row a work, in the order delivered.
    rejected
        Columns of `REJECTED_ITEMS`.
    parsed
        Every row delivered, declared columns typed, as `parse_columns` gives.
    unparseable
        Cells by source column that hold something which cannot be parsed; columns without any
        are left out.
    """

    spec: DomainSpec
    works: pl.DataFrame
    rejected: pl.DataFrame
    parsed: pl.DataFrame
    unparseable: dict[str, int]

    @property
    def filled(self) -> dict[str, int]:
        """Cells filled in, by column of `catalogue.items`; columns without any are left out."""
        counts = self.works["imputed"].explode().drop_nulls().value_counts(sort=True)
        return dict(counts.iter_rows())


def clean(raw: pl.DataFrame, spec: DomainSpec) -> Cleaned:
    """Parse, reject, merge and fill.

    In this order: a row lacking what its domain cannot do without is rejected; rows of one work
    are merged (see `merge_works`); what is then still missing is filled in and named in
    `imputed`.

    Parameters
    ----------
    raw
        A raw catalogue: the declared columns as text, `source` and `source_row`.
    spec
        The domain.

    Raises
    ------
    SettingsError
        If a column's parser gives another type than the item column it becomes.
    """
    parsed = parse_columns(raw, spec)
    unreadable = unparseable(raw, parsed, spec)
    rows = parsed.select(
        _natural_key(spec, parsed.schema).alias("natural_key"),
        pl.col(spec.id_column).alias("name"),
        *(_item_column(spec, name, parsed.schema) for name in FILLABLE),
        *PLACE,
        _reason(spec).alias("reason"),
    ).with_columns(_details(raw, parsed, unreadable, spec))
    refused = rows.filter(pl.col("reason").is_not_null())
    accepted = rows.with_columns(_repeats(raw, spec)).filter(pl.col("reason").is_null())
    works, merged = merge_works(accepted.drop("reason", "detail"))
    return Cleaned(
        spec,
        _fill(works, spec),
        pl.concat([_rejected(refused, spec), _rejected(merged, spec)]).sort(PLACE),
        parsed,
        {name: n for name, n in unreadable.sum().row(0, named=True).items() if n},
    )


def _natural_key(spec: DomainSpec, schema: pl.Schema) -> pl.Expr:
    # Parsed text holds no tab, so the parts cannot run into each other.
    parts = (
        pl.col(name).list.join(", ")
        if isinstance(schema[name], pl.List)
        else pl.col(name).cast(pl.String)
        for name in spec.natural_key
    )
    return pl.concat_str([part.fill_null("") for part in parts], separator="\t")


def _item_column(spec: DomainSpec, name: str, schema: pl.Schema) -> pl.Expr:
    wanted = ITEMS[name]
    column = spec.by_item_column.get(name)
    if column is None:
        return pl.lit(None, dtype=wanted).alias(name)
    found = schema[column.name]
    if found != wanted and not (found.is_numeric() and wanted.is_numeric()):
        raise SettingsError(
            f"Domain {spec.name}: column {column.name!r} becomes {name!r}, which holds {wanted}, "
            f"but its parser gives {found}. Use another parser."
        )
    return pl.col(column.name).cast(wanted).alias(name)


def _reason(spec: DomainSpec) -> pl.Expr:
    reasons = [
        pl.when(pl.col(column.name).is_null()).then(pl.lit(column.missing.reason))
        for column in spec.columns
        if isinstance(column.missing, Reject)
    ]
    return pl.coalesce(reasons)


def _details(
    raw: pl.DataFrame, parsed: pl.DataFrame, unreadable: pl.DataFrame, spec: DomainSpec
) -> pl.Series:
    """Say of every row which indispensable columns it lacks."""
    messages = [
        pl.when(unreadable[column.name])
        .then(pl.format(f"column '{column.name}' cannot be read: '{{}}'", raw[column.name]))
        .when(parsed[column.name].is_null())
        .then(pl.lit(f"column '{column.name}' is empty"))
        for column in spec.columns
        if isinstance(column.missing, Reject)
    ]
    joined = pl.concat_str(messages, separator="; ", ignore_nulls=True)
    return raw.select(joined.alias("detail")).to_series()


def _repeats(raw: pl.DataFrame, spec: DomainSpec) -> pl.Series:
    """Tell which rows equal an earlier one in all they say."""
    said = [column.name for column in spec.columns if not column.row_number]
    return (~raw.select(pl.struct(said).is_first_distinct()).to_series()).alias("repeats")


def _fill(works: pl.DataFrame, spec: DomainSpec) -> pl.DataFrame:
    fills = {name: fill for name in FILLABLE if (fill := _fill_of(spec, name))}
    marks = {name: pl.col(name).is_null() for name in fills}
    if "raw_popularity" not in fills:
        # Without one, popularity is put at 0; the source's own scale stays empty.
        marks["popularity"] = pl.col("raw_popularity").is_null()
    imputed = pl.concat_list(
        pl.when(marks[name]).then(pl.lit(name)) for name in ITEMS if name in marks
    ).list.drop_nulls()
    values = (
        pl.col(name).fill_null(
            pl.lit(list(fill.value) if isinstance(fill.value, tuple) else fill.value, ITEMS[name])
        )
        for name, fill in fills.items()
    )
    return works.with_columns(imputed.alias("imputed"), *values).select(
        pl.col(name).cast(dtype) for name, dtype in WORKS.items()
    )


def _fill_of(spec: DomainSpec, item_column: str) -> Fill | None:
    column = spec.by_item_column.get(item_column)
    policy = column.missing if column else None
    if policy is None:
        return DEFAULT_FILLS.get(item_column)
    return policy if isinstance(policy, Fill) else None


def _rejected(rows: pl.DataFrame, spec: DomainSpec) -> pl.DataFrame:
    return rows.with_columns(pl.lit(spec.item_type).alias("item_type")).select(
        pl.col(name).cast(dtype) for name, dtype in REJECTED_ITEMS.items()
    )
