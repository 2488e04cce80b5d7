"""From the cleaned domains and the id ledger to the one table of items."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from crossrec_pipeline.catalogue.clean import Cleaned
from crossrec_pipeline.catalogue.identity import NAMED, assign_ids
from crossrec_pipeline.catalogue.schema import ITEM_IDS, ITEMS
from crossrec_pipeline.domains import DomainSpec


@dataclass(frozen=True)
class Unified:
    """The unified catalogue.

    Attributes
    ----------
    items
        Columns of `ITEMS`, in the order of the domains, then by item id.
    rejected
        Columns of `REJECTED_ITEMS`: every row delivered that is no item of its own.
    item_ids
        Columns of `ITEM_IDS`: the ledger to keep for the next time.
    """

    items: pl.DataFrame
    rejected: pl.DataFrame
    item_ids: pl.DataFrame


def empty_ledger() -> pl.DataFrame:
    """Return the ledger before any id was given."""
    return pl.DataFrame(schema=ITEM_IDS)


def unify(cleaned: Sequence[Cleaned], ledger: pl.DataFrame) -> Unified:
    """Give ids and popularity, and put all domains into one table.

    Parameters
    ----------
    cleaned
        At least one domain.
    ledger
        Columns of `ITEM_IDS`: the ids given so far (see `empty_ledger`).
    """
    works = pl.concat(
        domain.works.with_columns(
            pl.lit(domain.spec.item_type).alias("item_type"),
            pl.lit(domain.spec.prefix).alias("prefix"),
            pl.lit(position).alias("position"),
            popularity_rank(pl.col("raw_popularity")).alias("popularity"),
        )
        for position, domain in enumerate(cleaned)
    )
    name_parts = {
        domain.spec.item_type: part
        for domain in cleaned
        if (part := _name_part(domain.spec)) is not None
    }
    item_ids = assign_ids(works.select(list(NAMED)), ledger.select(list(ITEM_IDS)), name_parts)
    items = (
        works.join(item_ids, on=["item_type", "natural_key"], how="left", validate="1:1")
        .sort("position", "item_id")
        .select(pl.col(name).cast(dtype) for name, dtype in ITEMS.items())
    )
    return Unified(items, pl.concat(domain.rejected for domain in cleaned), item_ids)


def popularity_rank(raw_popularity: pl.Expr) -> pl.Expr:
    """Rank from 0 to 1: the share of known values that are at most as high, ties averaged.

    The highest of several is 1, a single one too; where nothing is known it is 0.
    """
    return (raw_popularity.rank("average") / raw_popularity.count()).fill_null(0.0)


def _name_part(spec: DomainSpec) -> int | None:
    return spec.natural_key.index(spec.id_column) if spec.id_column in spec.natural_key else None
