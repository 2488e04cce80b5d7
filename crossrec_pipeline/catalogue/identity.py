r"""From works and the ledger of ids given so far to one id for every work, and the new ledger.

An id is the domain's prefix and the work's name. Of several works with one name the earliest
released has the plain id, the next ones `` (year)``, then `` (year, 2)``; without a year
`` (2)``, `` (3)``. Ids once given stay, because users' logs and trained models refer to them.
"""

import polars as pl

from crossrec_pipeline.catalogue.schema import ITEM_IDS

NAMED: dict[str, pl.DataType] = {
    "item_type": pl.String(),
    "natural_key": pl.String(),
    "prefix": pl.String(),
    "name": pl.String(),
    "release_date": pl.Date(),
}
"""What an id is made of."""

_WORK = ["item_type", "natural_key"]
_NAME = ["item_type", "name"]


def assign_ids(
    works: pl.DataFrame, ledger: pl.DataFrame, name_parts: dict[str, int]
) -> pl.DataFrame:
    """Give every work an id; whatever the order of the rows, the ids are the same.

    A work the ledger knows keeps its id. The id of a work that is gone stays reserved, except
    where exactly one id of a name lost its work and exactly one new work has that name: then it
    is the same work with a corrected date (or author), and takes the id over.

    Parameters
    ----------
    works
        Columns of `NAMED`; (item_type, natural_key) is unique.
    ledger
        Columns of `ITEM_IDS`: every id given before, perhaps none.
    name_parts
        By item type, which tab-separated part of a natural key is the name; types whose name is
        no part of it are left out (there, a corrected date does not change the key).

    Returns
    -------
    pl.DataFrame
        Columns of `ITEM_IDS`: the ledger with the new ids, sorted. Every work is in it.
    """
    known = works.select(_WORK).join(ledger, on=_WORK, how="inner", validate="1:1")
    new = works.join(known, on=_WORK, how="anti")
    gone = ledger.join(works, on=_WORK, how="anti")
    taken_over = _take_over(new, gone, name_parts)
    gone = gone.join(taken_over, on="item_id", how="anti")
    kept = pl.concat([known, gone, taken_over])
    new = new.join(taken_over, on=_WORK, how="anti")
    return pl.concat([kept, _new_ids(new, kept["item_id"])]).sort(_WORK)


def _take_over(new: pl.DataFrame, gone: pl.DataFrame, name_parts: dict[str, int]) -> pl.DataFrame:
    parts = pl.col("natural_key").str.split("\t")
    position = pl.col("item_type").replace_strict(name_parts, default=None, return_dtype=pl.Int64)
    orphans = gone.with_columns(parts.list.get(position, null_on_oob=True).alias("name")).filter(
        pl.len().over(_NAME) == 1
    )
    alone = new.filter(pl.len().over(_NAME) == 1)
    return alone.join(orphans.select(*_NAME, "item_id"), on=_NAME, how="inner").select(
        list(ITEM_IDS)
    )


def _new_ids(new: pl.DataFrame, reserved: pl.Series) -> pl.DataFrame:
    ranked = new.sort(
        "item_type", "name", "release_date", "natural_key", nulls_last=True
    ).with_columns((pl.col("prefix") + pl.col("name")).alias("item_id"))
    # Two types can make one plain id ("A" + "_B" and "A_B" + ""); the first in order has it.
    is_plain = (
        pl.struct(_NAME).is_first_distinct()
        & pl.col("item_id").is_first_distinct()
        & ~pl.col("item_id").is_in(reserved.implode())
    )
    ranked = ranked.with_columns(is_plain.alias("is_plain"))
    plain = ranked.filter("is_plain")
    others = ranked.filter(~pl.col("is_plain"))
    taken = {*reserved, *plain["item_id"]} if others.height else set()
    numbered = [
        _free_id(row["item_id"], row["release_date"].year if row["release_date"] else None, taken)
        for row in others.iter_rows(named=True)
    ]
    others = others.with_columns(pl.Series("item_id", numbered, dtype=pl.String))
    return pl.concat([plain, others]).select(list(ITEM_IDS))


def _free_id(plain: str, year: int | None, taken: set[str]) -> str:
    """Find the first free id of a name that is taken, and take it."""
    number = 1
    item_id = f"{plain} ({year})" if year else plain
    while item_id in taken:
        number += 1
        item_id = f"{plain} ({year}, {number})" if year else f"{plain} ({number})"
    taken.add(item_id)
    return item_id
