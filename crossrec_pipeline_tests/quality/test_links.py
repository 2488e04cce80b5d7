"""Links that cannot be right are found, each by the finding of its name."""

import math

import polars as pl
import pytest

from crossrec_pipeline.catalogue.schema import ITEM_LINKS
from crossrec_pipeline.quality.links import count_links, review_links, sample_links

ITEMS = pl.DataFrame(
    [
        ("Book_Emma", "Book", "Emma", ["Jane Austen"]),
        ("Book_Emma (2)", "Book", "Emma", ["Jane Austen"]),
        ("Movie_Emma.", "Movie", "Emma.", ["Anya Taylor-Joy", "Bill Nighy"]),
        ("Movie_Clueless", "Movie", "Clueless", ["Alicia Silverstone"]),
    ],
    schema={
        "item_id": pl.String,
        "item_type": pl.String,
        "title": pl.String,
        "creators": pl.List(pl.String),
    },
    orient="row",
)
STORY = ("Book_Emma", "Movie_Emma.", "story", 0.9, "same title")
EDITION = ("Book_Emma", "Book_Emma (2)", "edition", 0.95, "same title; both by Jane Austen")


def table(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ITEM_LINKS, orient="row")


def found(*rows: tuple, most_links: int = 3) -> dict[str, int]:
    findings = review_links(table(*rows), ITEMS, most_links)
    return {finding.name: finding.n_found for finding in findings if not finding.passed}


def test_nothing_is_wrong_with_good_links():
    assert found(STORY, EDITION) == {}
    assert found() == {}


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (
            ("Book_Emma", "Book_Emma", "edition", 0.9, "same title"),
            "links of an item with itself",
        ),
        (
            ("Book_Emma", "Movie_Gone", "story", 0.9, "same title"),
            "links of an item that does not exist",
        ),
        (
            ("Book_Emma", "Movie_Clueless", "edition", 0.9, "same title"),
            "links of another kind than their types have",
        ),
        (
            ("Book_Emma (2)", "Book_Emma", "story", 0.9, "same title"),
            "links of another kind than their types have",
        ),
        (
            ("Book_Emma", "Movie_Clueless", "story", 1.2, "same title"),
            "scores that are not from 0 to 1",
        ),
        (
            ("Book_Emma", "Movie_Clueless", "story", math.nan, "same title"),
            "scores that are not from 0 to 1",
        ),
        (
            ("Book_Emma", "Movie_Clueless", "story", None, "same title"),
            "scores that are not from 0 to 1",
        ),
        (("Book_Emma", "Movie_Clueless", "story", 0.9, " "), "links without a reason"),
        (("Movie_Emma.", "Book_Emma", "story", 0.9, "same title"), "pairs that are there twice"),
    ],
)
def test_each_kind_of_bad_link_is_found(row: tuple, name: str):
    assert found(STORY, row) == {name: 1}


def test_an_item_with_very_many_links_is_found():
    rows = [STORY, EDITION, ("Book_Emma", "Movie_Clueless", "story", 0.7, "same title")]
    assert found(*rows, most_links=3) == {}
    assert found(*rows, most_links=2) == {"items with more than 2 links": 1}
    (hub,) = (each for each in review_links(table(*rows), ITEMS, 2) if not each.passed)
    assert str(hub) == "items with more than 2 links: 1, such as Book_Emma (3)"


def test_a_sample_has_titles_and_reasons_and_does_not_depend_on_the_order_of_rows():
    sample = sample_links(table(STORY, EDITION), ITEMS, seed=0)
    assert sample.rows() == [
        (
            "edition",
            0.95,
            "Emma (book, Jane Austen)",
            "Emma (book, Jane Austen)",
            "same title; both by Jane Austen",
        ),
        (
            "story",
            0.9,
            "Emma (book, Jane Austen)",
            "Emma. (movie, Anya Taylor-Joy)",
            "same title",
        ),
    ]
    assert sample_links(table(EDITION, STORY), ITEMS, seed=0).equals(sample)


def test_a_sample_is_of_twenty():
    items = pl.concat([ITEMS.head(1)] + [ITEMS[2:3]] * 30).with_columns(
        item_id=pl.concat_str("item_id", pl.int_range(31).cast(pl.String))
    )
    ids = items["item_id"].to_list()
    links = table(*((ids[0], other, "story", n / 30, "alike") for n, other in enumerate(ids[1:])))
    sample = sample_links(links, items, seed=0)
    assert sample.height == 20
    assert not sample_links(links, items, seed=1).equals(sample)


def test_links_are_counted_by_kind_and_types():
    another = ("Book_Emma (2)", "Movie_Emma.", "story", 0.8, "same title")
    assert count_links(table(STORY, EDITION, another), ITEMS) == {
        "story: Book and Movie": 2,
        "edition: Book and Book": 1,
    }
