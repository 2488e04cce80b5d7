"""Items of the catalogue in; one text an item, which says what the item is, out."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from crossrec_pipeline.catalogue.delivered import as_delivered
from crossrec_pipeline.errors import ContentError

TEXTS: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "item_type": pl.String(),
    "text": pl.String(),
}
"""One row an item. An item of which nothing is said has an empty text."""

ENRICHMENTS_FILE = "enrichments.parquet"
MOST_CREATORS = 5
"""Names of an item that its text has: a film's cast would drown the rest."""

_MORE = "more"
"""What others have written of an item."""


@dataclass(frozen=True)
class Part:
    """A sentence of a text; left out where its column says nothing.

    Attributes
    ----------
    column
        A column of the items, or `more`.
    before
        Words before the value.
    """

    column: str
    before: str = ""


Template = tuple[Part, ...]

# What an encoder may no longer read comes last. The type itself is not said: it would move items of
# one type together, and away from what is like them in the others.
TEMPLATES: dict[str, Template] = {
    "Movie": (
        Part("title"),
        Part("genres"),
        Part(_MORE),
        Part("description"),
        Part("creators", "With "),
    ),
    "Music": (
        Part("title"),
        Part("creators", "By "),
        Part("genres"),
        Part(_MORE),
        Part("description"),
    ),
    "Book": (
        Part("title"),
        Part("creators", "By "),
        Part("genres"),
        Part(_MORE),
        Part("description"),
    ),
}
"""By item type."""

GENERAL: Template = (
    Part("title"),
    Part("genres"),
    Part(_MORE),
    Part("description"),
    Part("creators", "By "),
)
"""Of the items of an added domain."""


def item_texts(items: pl.DataFrame, more: pl.DataFrame | None = None) -> pl.DataFrame:
    """Write one text for each item, from what its source says of it.

    Parameters
    ----------
    items
        Columns of `catalogue.schema.ITEMS`. What was filled in is left out.
    more
        Further texts about items, with the columns `item_id` and `text`: those of one item follow
        one another in the order given. Items that are unknown, and blank texts, do no harm.

    Returns
    -------
    pl.DataFrame
        Columns of `TEXTS`, in the order of the items.
    """
    extra = pl.DataFrame(schema={"item_id": pl.String(), "text": pl.String()})
    if more is not None:
        extra = more.select("item_id", "text")
    extra = (
        extra.filter(_filled(pl.col("text")).is_not_null())
        .group_by("item_id", maintain_order=True)
        .agg(pl.col("text").str.strip_chars().str.join(" ").alias(_MORE))
    )
    said = as_delivered(items).join(extra, on="item_id", how="left", maintain_order="left")
    values = said.with_columns(
        _filled(pl.col("title")),
        _filled(pl.col("description")),
        _filled(_names("genres")),
        _filled(_names("creators", MOST_CREATORS)),
    )
    text = _written(GENERAL)
    for item_type, template in TEMPLATES.items():
        text = pl.when(pl.col("item_type") == item_type).then(_written(template)).otherwise(text)
    return values.select("item_id", "item_type", text.alias("text"))


def read_enrichments(content_dir: Path) -> pl.DataFrame | None:
    """Read the further texts that lie beside the embeddings, or return None where there are none.

    Returns
    -------
    pl.DataFrame
        Columns `item_id` and `text`.

    Raises
    ------
    ContentError
        If the file is damaged, or has not these columns.
    """
    path = content_dir / ENRICHMENTS_FILE
    if not path.exists():
        return None
    try:
        return pl.read_parquet(path, columns=["item_id", "text"]).cast(pl.String())
    except (OSError, PolarsError) as error:
        raise ContentError(
            f"{path} cannot be read ({str(error).partition(chr(10))[0]}). It is a Parquet file "
            "with the columns item_id and text. Make it again, or delete it: items are then "
            "embedded without it."
        ) from error


def _filled(text: pl.Expr) -> pl.Expr:
    """Take away outer blanks; null where nothing is left."""
    text = text.str.strip_chars()
    return pl.when(text != "").then(text)


def _names(column: str, most: int | None = None) -> pl.Expr:
    names = pl.col(column).list.eval(_filled(pl.element()).drop_nulls())
    return (names if most is None else names.list.head(most)).list.join(", ")


def _written(template: Template) -> pl.Expr:
    return pl.concat_str(*map(_sentence, template), separator=" ", ignore_nulls=True)


def _sentence(part: Part) -> pl.Expr:
    value = pl.col(part.column)
    ends = value.str.contains(r"[.!?…][\"'”’)]?$")
    stop = pl.when(ends).then(pl.lit("")).otherwise(pl.lit("."))
    return pl.lit(part.before) + value + stop
