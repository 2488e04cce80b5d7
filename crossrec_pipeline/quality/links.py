"""Links and items in; what is wrong with the links, and some of them to be read, out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from crossrec_pipeline.catalogue.links.both_ways import both_ways
from crossrec_pipeline.catalogue.schema import EDITION, STORY

SHOWN_LINKS = 20
_EXAMPLES = 3


@dataclass(frozen=True)
class LinkFinding:
    """What is wrong with some links.

    Attributes
    ----------
    name
        What was looked for.
    n_found
        How many links or items have it; 0 where all is well.
    examples
        Up to three of them.
    """

    name: str
    n_found: int
    examples: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return self.n_found == 0

    def __str__(self) -> str:
        if self.passed:
            return f"{self.name}: none"
        return f"{self.name}: {self.n_found:,}, such as {'; '.join(self.examples)}"


def review_links(links: pl.DataFrame, items: pl.DataFrame, most_links: int) -> list[LinkFinding]:
    """Look for links that cannot be right, whatever the two items are.

    Parameters
    ----------
    links
        Columns of `catalogue.schema.ITEM_LINKS`.
    items
        Columns `item_id` and `item_type` of `catalogue.items`.
    most_links
        Links of one item that are still believed: an item with more is in a block it should not
        be in ("Untitled").
    """
    type_of = items.select("item_id", "item_type")
    typed = links.join(type_of, on="item_id", how="left").join(
        type_of.rename({"item_id": "other_id", "item_type": "other_type"}),
        on="other_id",
        how="left",
    )
    of_one_type = pl.col("item_type") == pl.col("other_type")
    expected = pl.when(of_one_type).then(pl.lit(EDITION)).otherwise(pl.lit(STORY))
    first, second = (
        pl.min_horizontal("item_id", "other_id"),
        pl.max_horizontal("item_id", "other_id"),
    )
    wrong = {
        "links of an item with itself": pl.col("item_id") == pl.col("other_id"),
        "links of an item that does not exist": pl.any_horizontal(
            pl.col("item_type", "other_type").is_null()
        ),
        "links of another kind than their types have": pl.col("kind") != expected,
        "scores that are not from 0 to 1": ~pl.col("score").is_between(0, 1)
        | pl.col("score").is_nan()
        | pl.col("score").is_null(),
        "links without a reason": pl.col("reason").fill_null("").str.strip_chars() == "",
        "pairs that are there twice": ~pl.struct(first, second.alias("second")).is_first_distinct(),
    }
    found = [_finding(name, typed.filter(condition)) for name, condition in wrong.items()]
    return [*found, _hubs(links, most_links)]


def sample_links(links: pl.DataFrame, items: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Draw links to be read by a person, surest first.

    Parameters
    ----------
    links, items
        Columns of `ITEM_LINKS` and `ITEMS`.
    seed
        Of the draw, which does not depend on the order of rows.

    Returns
    -------
    pl.DataFrame
        Columns `kind`, `score`, `item`, `other`, `reason`: titles with their creators.
    """
    ordered = links.sort("item_id", "other_id")
    drawn = ordered.sample(min(SHOWN_LINKS, ordered.height), seed=seed)
    return (
        _with_names(drawn, items)
        .sort("score", "item", "other", descending=[True, False, False])
        .select("kind", "score", "item", "other", "reason")
    )


def count_links(links: pl.DataFrame, items: pl.DataFrame) -> Mapping[str, int]:
    """Count links by kind and the types of both ends, the most frequent first."""
    named = _with_names(links, items)
    pairs = named.select(pl.format("{}: {} and {}", "kind", "item_type", "other_type").alias("of"))
    counts = pairs["of"].value_counts(name="n").sort("n", "of", descending=[True, False])
    return dict(counts.iter_rows())


def _with_names(links: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    # A cast is long: its first name will do.
    creator = pl.col("creators").list.first()
    name = pl.format("{} ({}, {})", "title", pl.col("item_type").str.to_lowercase(), creator)
    named = items.select("item_id", "item_type", name.alias("item"))
    other = named.rename({"item_id": "other_id", "item_type": "other_type", "item": "other"})
    return links.join(named, on="item_id").join(other, on="other_id")


def _finding(name: str, rows: pl.DataFrame) -> LinkFinding:
    return LinkFinding(name, rows.height, tuple(_examples(rows)))


def _examples(rows: pl.DataFrame) -> Iterator[str]:
    for item_id, other_id in rows.select("item_id", "other_id").head(_EXAMPLES).iter_rows():
        yield f"{item_id} – {other_id}"


def _hubs(links: pl.DataFrame, most_links: int) -> LinkFinding:
    counts = both_ways(links)["item_id"].value_counts(name="n").filter(pl.col("n") > most_links)
    shown = counts.sort("n", "item_id", descending=[True, False]).head(_EXAMPLES)
    examples = tuple(f"{item_id} ({n:,})" for item_id, n in shown.iter_rows())
    return LinkFinding(f"items with more than {most_links} links", counts.height, examples)
